import { expect, test } from "vitest";
import { diffObjects, openObject } from "./diff-objects.js";
import { COMPILERS, type Compiler, check, compile, diff, testPairs } from "./fixtures/pairs.js";

const X86: readonly Compiler[] = ["gcc x86_64", "clang x86_64"];
/** A function that is told its line, and one beside it that changes. */
const withLine = (declaration: string, call: string, added: string) => ({
  before: `${declaration} int f(int a) { ${call}; return a; } int g(int a) { return a; }`,
  after: `${declaration}${added} int f(int a) { ${call}; return a; } int g(int a) { return a + 1; }`,
});

testPairs([
  ...(
    [
      ["__might_sleep", "const char *, int", '"x.c", __LINE__'],
      ["__might_resched", "const char *, int, unsigned", '"x.c", __LINE__, 0'],
      ["__cant_sleep", "const char *, int, int", '"x.c", __LINE__, 0'],
      ["__might_fault", "const char *, int", '"x.c", __LINE__'],
      ["lockdep_rcu_suspicious", "const char *, int, const char *", '"x.c", __LINE__, "s"'],
      ["warn_slowpath_fmt", "const char *, int, unsigned, const char *, ...", '"x.c", __LINE__, 9, 0'],
      ["__ext4_error_inode", "void *, const char *, unsigned", "0, __func__, __LINE__"],
      ["btrfs_assertfail", "const char *, const char *, int", '"a", "x.c", __LINE__'],
      ["__warn_printk", "const char *, ...", '"RTNL: assertion failed at %s (%d)\\n", "x.c", __LINE__'],
    ] as const
  ).map(([name, parameters, values]) => ({
    what: `the line that ${name} is given`,
    ...withLine(`void ${name}(${parameters});`, `if (a) ${name}(${values})`, "\n\n\n"),
    outcome: "carried" as const,
    changed: ["g"],
  })),
  {
    what: "the line that another function is given means something",
    ...withLine("void other(const char *, int);", 'other("x.c", __LINE__)', "\n"),
    outcome: "carried",
    changed: ["f", "g"],
  },
  {
    what: "another argument of a function that is given a line",
    before:
      'void __cant_sleep(const char *, int, int); int f(int a) { __cant_sleep("x.c", 7, 7); return a; }',
    after: 'void __cant_sleep(const char *, int, int); int f(int a) { __cant_sleep("x.c", 7, 8); return a; }',
    outcome: "carried",
    changed: ["f"],
  },
  {
    what: "a number in another message than that of an assertion",
    before:
      'void __warn_printk(const char *, ...); int f(int a) { __warn_printk("limit of %s (%d)", "x", 7); return a; }',
    after:
      'void __warn_printk(const char *, ...); int f(int a) { __warn_printk("limit of %s (%d)", "x", 8); return a; }',
    outcome: "carried",
    changed: ["f"],
  },
  {
    what: "the line of dynamic debug",
    before:
      'struct d { const char *a, *b, *c, *e; unsigned line : 18, class : 6, flags : 8; }; int f(int a) { static struct d in_section("__dyndbg") __attribute__((aligned(8))) descriptor = { "m", "f", "x.c", "text", 5, 1, 0 }; use(&descriptor); return a; } int g(int a) { return a; }',
    after:
      'struct d { const char *a, *b, *c, *e; unsigned line : 18, class : 6, flags : 8; }; int f(int a) { static struct d in_section("__dyndbg") __attribute__((aligned(8))) descriptor = { "m", "f", "x.c", "text", 70000, 1, 0 }; use(&descriptor); return a; } int g(int a) { return a + 1; }',
    outcome: "carried",
    changed: ["g"],
  },
  {
    what: "flags of dynamic debug",
    before:
      'struct d { const char *a, *b, *c, *e; unsigned line : 18, class : 6, flags : 8; }; int f(int a) { static struct d in_section("__dyndbg") __attribute__((aligned(8))) descriptor = { "m", "f", "x.c", "text", 5, 1, 0 }; use(&descriptor); return a; }',
    after:
      'struct d { const char *a, *b, *c, *e; unsigned line : 18, class : 6, flags : 8; }; int f(int a) { static struct d in_section("__dyndbg") __attribute__((aligned(8))) descriptor = { "m", "f", "x.c", "text", 5, 1, 3 }; use(&descriptor); return a; }',
    outcome: "carried",
    changed: ["f"],
  },
  {
    what: "an entry of the index of messages",
    before:
      'struct e { const char *text; unsigned line; }; int f(int a) { static const struct e _entry = { "text", 5 }; static const struct e *_entry_ptr in_section(".printk_index") __attribute__((used)) = &_entry; printk("text"); return a; } int g(int a) { return a; }',
    after:
      'struct e { const char *text; unsigned line; }; int f(int a) { static const struct e _entry = { "text", 6 }; static const struct e *_entry_ptr in_section(".printk_index") __attribute__((used)) = &_entry; printk("text"); return a; } int g(int a) { return a + 1; }',
    outcome: "carried",
    changed: ["g"],
  },
  {
    what: "initialisation code that only moves because its neighbour grows",
    before:
      "static noinline int __init x(int a) { use(&a); return a * 3; } static noinline int __init y(int a) { use(&a); return a * 4; } int __init start(int a) { return x(a) + y(a); }",
    after:
      "static noinline int __init x(int a) { use(&a); return a * 3; } static noinline int __init y(int a) { use(&a); use(0); return a * 4; } int __init start(int a) { return x(a) + y(a); }",
    outcome: "refused",
    refused: ["init-code"],
    says: "function 'y' changed",
  },
  {
    what: "padding between variables of one section",
    before:
      'in_section(".data..read_mostly") char a = 1; in_section(".data..read_mostly") int b = 2; int f(int x) { return x + a + b; }',
    after:
      'in_section(".data..read_mostly") char a = 1; in_section(".data..read_mostly") char c = 3; in_section(".data..read_mostly") __attribute__((aligned(16))) int d = 9; in_section(".data..read_mostly") int b = 2; int f(int x) { return x + a + b + 1; }',
    outcome: "carried",
    changed: ["f"],
    data: ["c", "d"],
  },
]);

test("only what changed is named, not what moved in initialisation code", async () => {
  for (const command of Object.values(COMPILERS)) {
    const { report } = await diff(
      command,
      "static noinline int __init x(int a) { use(&a); return a; } noinline int __init y(int a) { use(&a); return x(a); } int __init z(int a) { return y(a) + x(a); }",
      "static noinline int __init x(int a) { use(&a); return a; } noinline int __init y(int a) { use(&a); use(0); return x(a); } int __init z(int a) { return y(a) + x(a); }",
    );
    expect(report.refusals.map(({ symbol }) => symbol)).toEqual(["y"]);
  }
});

const BUG = (line: string, flags = "5") =>
  `asm volatile("1: ud2\\n.pushsection __bug_table,\\"aw\\"\\n2: .long 1b - 2b\\n .long %c0 - 2b\\n .word ${line}\\n .word ${flags}\\n.popsection" :: "i"("a/x.c"))`;

testPairs([
  {
    what: "the line of a warning",
    only: X86,
    before: `int f(int a) { if (a) ${BUG("7")}; if (a > 9) ${BUG("8")}; return a; }`,
    after: `int f(int a) { if (a) ${BUG("9")}; if (a > 9) ${BUG("11")}; return a; }`,
    outcome: "unchanged",
  },
  {
    what: "the flags of a warning",
    only: X86,
    before: `int f(int a) { if (a) ${BUG("7")}; if (a > 9) ${BUG("8")}; return a; }`,
    after: `int f(int a) { if (a) ${BUG("7", "4")}; if (a > 9) ${BUG("8")}; return a; }`,
    outcome: "carried",
    changed: ["f"],
  },
]);

test.each(Object.entries(COMPILERS))(
  "what changed by inlining is said, with the callee: %s",
  async (_, command) => {
    const before =
      "static inline int one(int a) { return a * 1; }\nstatic inline int two(int a) { use(&a); return a + 2; }\nint f(int a) { return two(a) + one(a); } int g(int a) { return one(a); } int h(int a) { return a; }";
    const { report } = await diff(command, before, before.replace("use(&a)", "use(&a); use(0)"));
    check(
      { report: { ...report, outcome: "unchanged" }, callbacks: [], states: [] },
      { outcome: "unchanged", changed: ["f"] },
    );
    expect(report.remarks).toMatchObject([
      { rule: "unexpected-function", severity: "info", symbol: "f", line: 2 },
    ]);
    expect(report.remarks[0]?.message).toContain("what it inlines from 'two'");
  },
);

test.each(Object.entries(COMPILERS))(
  "what the patch edits decides who is expected: %s",
  async (_, command) => {
    const before =
      "struct s { int x; };\nstatic inline int two(int a) { use(&a); return a + 2; }\nint f(int a) { return two(a); }\nint g(struct s *s) { return two(s->x) + 1; }";
    const after = before.replace("use(&a)", "use(&a); use(0)");
    const [orig, patched] = [
      openObject(await compile(command, before), "a.o"),
      openObject(await compile(command, after), "b.o"),
    ];
    const because = (edited: string, macro?: string) =>
      diffObjects(orig, patched, {
        edits: {
          editsFunction: (name) => name === edited,
          editsAt: () => false,
          macroIn: ({ line }) => (line === 2 ? macro : undefined),
        },
      }).report.remarks.map(({ symbol, severity, message }) => [symbol, severity, message]);
    const inlines = (name: string) => [
      name,
      "info",
      `function '${name}' changed because it inlines 'two', which changed`,
    ];
    expect(because("two").sort()).toEqual([inlines("f"), inlines("g")]);
    expect(because("f")).toEqual([
      [
        "g",
        undefined,
        "function 'g' changed although the patch does not touch it: the compiler chose differently",
      ],
    ]);
    expect(because("f", "TWO")).toEqual([
      [
        "g",
        "info",
        "function 'g' changed because it inlines 'two', which uses the macro 'TWO', which changed",
      ],
    ]);
  },
);

test("a callee that is not inlined any more explains a change", async () => {
  const callee = `static int two(int a) { ${"use(&a); ".repeat(20)} return a + 2; }\n`;
  const f = "int f(int a) { return two(a); }\n";
  const { report } = await diff(
    COMPILERS["gcc x86_64"],
    `${callee}${f}int g(int a) { return a; }`,
    `${callee}${f}int g(int a) { return two(a) + two(a + 1); }`,
    { editsFunction: (name) => name === "g", editsAt: () => false, macroIn: () => undefined },
  );
  expect(report.remarks).toMatchObject([
    {
      symbol: "f",
      severity: "info",
      message: expect.stringContaining("does not inline 'two' into it any more"),
    },
  ]);
});

test("what an untouched function refers to instead is named", async () => {
  const { report } = await diff(
    COMPILERS["gcc x86_64"],
    "void one(void), two(void);\n#define CALL one\nvoid f(void) { CALL(); use(f); }",
    "void one(void), two(void);\n#define CALL two\nvoid f(void) { CALL(); use(f); }",
    { editsFunction: () => false, editsAt: () => false, macroIn: () => undefined },
  );
  expect(report.remarks.map(({ message }) => message)).toEqual([
    "function 'f' changed although the patch does not touch it: it refers to 'two', where it referred to 'one'",
  ]);
});
