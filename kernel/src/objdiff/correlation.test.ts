import { expect, test } from "vitest";
import { diffObjects, openObject } from "./diff-objects.js";
import { COMPILERS, type Compiler, compile, diff, testPairs } from "./fixtures/pairs.js";

const GCC: readonly Compiler[] = ["gcc x86_64", "gcc arm64"];

testPairs([
  {
    what: "a static local of a function that is not inlined any more",
    before:
      "static inline int once(int a) { static int n; return n += a; } int f(int a) { return once(a) + 1; }",
    after:
      "static noinline int once(int a) { static int n; return n += a; } int f(int a) { return once(a) + 2; }",
    outcome: "carried",
    changed: ["f"],
    new: ["once"],
    left: ["n.0"],
    clang: { left: ["once.n"] },
  },
  {
    what: "a static local of a function that is inlined now",
    before:
      "static noinline int once(int a) { static int n; return n += a; } int f(int a) { return once(a) + 1; }",
    after:
      "static inline __attribute__((always_inline)) int once(int a) { static int n; return n += a; } int f(int a) { return once(a) + 2; }",
    outcome: "carried",
    changed: ["f"],
    remarks: ["function-removed"],
    left: ["n.0"],
    clang: { left: ["once.n"] },
  },
  {
    what: "a static local of that name in another function is another variable",
    before: "int f(int a) { static int n; use(&n); return a; } int g(int a) { return a; }",
    after: "int f(int a) { return a; } int g(int a) { static int n; use(&n); return a; }",
    outcome: "carried",
    changed: ["f", "g"],
    data: ["n"],
    clang: { data: ["g.n"] },
    remarks: ["static-local-removed"],
    brought: ["n.0", "f.n"],
  },
  {
    what: "nested static locals: an inner one comes, its initial value tells it from the others",
    before: "int f(int a) { static int n = 1; use(&n); if (a) { static int n = 2; use(&n); } return a; }",
    after:
      "int f(int a) { static int n = 1; use(&n); if (a) { static int n = 3; use(&n); static int m; { static int n = 2; use(&n); } } return a; }",
    outcome: "carried",
    changed: ["f"],
    data: ["n"],
    clang: { data: ["f.n"] },
  },
  {
    what: "a clone with a constant parameter that goes: its callers are carried",
    before:
      "static noinline int g(int a, int b) { use(&a); return a * b; } int f(int a) { return g(a, 5); } int h(int a) { return g(a + 1, 5); }",
    after:
      "static noinline int g(int a, int b) { use(&a); return a * b; } int f(int a) { return g(a, 5); } int h(int a) { return g(a + 1, a); }",
    outcome: "carried",
    gcc: { changed: ["f", "h"], new: ["g"], remarks: ["compiler-clone"] },
    clang: { changed: ["f", "g", "h"] },
  },
  {
    what: "clones that are renumbered stay who they are",
    before:
      'static noinline int g(int a, int b) { use(&a); if (b == 5) printk("five"); return a * b; } int f(int a) { return g(a, 5) + g(a, 5); } int h(int a) { return g(a + 1, 6); } int k(int a) { return a; }',
    after:
      'static noinline int g(int a, int b) { use(&a); if (b == 5) printk("five"); return a * b; } int f(int a) { return g(a, 5) + g(a, 5); } int h(int a) { return g(a + 1, 6); } int k(int a) { return a + 1; }',
    outcome: "carried",
    changed: ["k"],
  },
  {
    what: "the unlikely part of a clone belongs to the clone",
    only: ["gcc x86_64"],
    before:
      "static noinline int g(int a, int b) { if (unlikely(a > 3)) { bad(a); bad(b); bad(1); } return a * b; } int f(int a) { return g(a, 5); }",
    after:
      "static noinline int g(int a, int b) { if (unlikely(a > 3)) { bad(a); bad(b); bad(2); } return a * b; } int f(int a) { return g(a, 5); }",
    outcome: "carried",
    changed: ["g.constprop.0"],
    left: ["bad"],
    brought: ["g.constprop.0.cold", "g.constprop.0"],
  },
  {
    what: "a table of a switch, whatever its number",
    before:
      'const char *f(int a) { switch (a) { case 0: return "a"; case 1: return "b"; case 2: return "c"; case 3: return "d"; case 4: return "e"; } return 0; }',
    after:
      'int e(int a) { switch (a) { case 0: return 7; case 1: return 8; case 2: return 5; case 3: return 9; case 4: return 77; } return 0; } const char *f(int a) { switch (a) { case 0: return "a"; case 1: return "b"; case 2: return "c"; case 3: return "d"; case 4: return "e"; } return 0; }',
    outcome: "carried",
    new: ["e"],
  },
  {
    what: "a table of a switch with another text",
    before:
      'const char *f(int a) { switch (a) { case 0: return "a"; case 1: return "b"; case 2: return "c"; case 3: return "d"; case 4: return "e"; } return 0; }',
    after:
      'const char *f(int a) { switch (a) { case 0: return "a"; case 1: return "b"; case 2: return "C"; case 3: return "d"; case 4: return "e"; } return 0; }',
    outcome: "carried",
    changed: ["f"],
  },
  {
    what: "initial values of an array on the stack",
    before:
      "int f(int i) { int a[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}; use(a); return a[i]; } int g(int i) { return i; }",
    after:
      "int f(int i) { int a[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}; use(a); return a[i]; } int g(int i) { return i + 1; }",
    outcome: "carried",
    changed: ["g"],
  },
  {
    what: "compound literals, whatever their number",
    before: "struct s { int a; int *b; }; struct s v = {1, (int[]){1, 2, 3}}; int f(void) { return v.b[1]; }",
    after:
      "struct s { int a; int *b; }; struct s w = {1, (int[]){7, 2, 3}}; int e(void) { return w.b[1]; } struct s v = {1, (int[]){1, 2, 3}}; int f(void) { return v.b[1] + 1; }",
    outcome: "carried",
    changed: ["f"],
    new: ["e"],
    data: ["__compound_literal", "w"],
    clang: { data: [".compoundliteral", "w"] },
    left: ["v"],
  },
  {
    what: "a function and a variable that become global",
    before: "static int n; static noinline int f(int a) { return a + n++; } int g(int a) { return f(a); }",
    after: "int n; noinline int f(int a) { return a + n++ + 1; } int g(int a) { n += a; return f(a); }",
    outcome: "carried",
    changed: ["f", "g"],
    left: ["n"],
  },
  {
    what: "a function and a variable that become static",
    before: "int n; noinline int f(int a) { return a + n++; } int g(int a) { return f(a); }",
    after:
      "static int n; static noinline int f(int a) { return a + n++ + 1; } int g(int a) { n += a; return f(a); }",
    outcome: "carried",
    changed: ["f", "g"],
    left: ["n"],
  },
  {
    what: "a global alias that comes before a local name",
    only: GCC,
    before: "int f(int a) { return a; }",
    after: 'static int f(int a) { return a + 1; } int another(int) __attribute__((alias("f")));',
    outcome: "carried",
    changed: ["f"],
  },
  {
    what: "a section group of which every file has its own",
    before: `int f(int a) { return a; }
asm(".section .text.dup,\\"axG\\",%progbits,dup,comdat\\n.weak dup\\n.type dup,%function\\ndup: ret\\n.size dup,.-dup\\n.previous");`,
    after: `int f(int a) { return a + 1; }
asm(".section .text.dup,\\"axG\\",%progbits,dup,comdat\\n.weak dup\\n.type dup,%function\\ndup: ret\\n.size dup,.-dup\\n.previous");`,
    outcome: "carried",
    changed: ["f"],
  },
  ...["__key", "__warned", "__already_done", "_rs", "_entry", "__print_once", "descriptor"].map((key) => ({
    what: `'${key}', which macros keep for one place, is brought along`,
    before: `int f(int a) { static int ${key} = 7; use(&${key}); return a; }`,
    after: `int f(int a) { { static int ${key} = 7; use(&${key}); } { static int ${key} = 7; use(&${key}); } return a; }`,
    outcome: "carried" as const,
    changed: ["f"],
    brought: [`${key}.0`, `f.${key}`],
  })),
  {
    what: "a key whose name only begins alike is a variable",
    before: "int f(int a) { static int __key_of_all = 7; use(&__key_of_all); return a; }",
    after: "int f(int a) { static int __key_of_all = 7; use(&__key_of_all); return a + 1; }",
    outcome: "carried",
    changed: ["f"],
    left: ["__key_of_all.0"],
    clang: { left: ["f.__key_of_all"] },
  },
  {
    what: "what DO_ONCE has done is not done again",
    before:
      'int f(int a) { static _Bool in_section(".data.once") ___done; if (!___done) { ___done = 1; use(&a); } return a; }',
    after:
      'int f(int a) { static _Bool in_section(".data.once") ___done; if (!___done) { ___done = 1; use(&a); } return a + 1; }',
    outcome: "carried",
    changed: ["f"],
    left: ["___done.0"],
    clang: { left: ["f.___done"] },
  },
]);

test.each(GCC)("statics of two functions, inlined into one: each keeps its own (%s)", async (compiler) => {
  const [a, b] = [
    "static inline int a1(int a) { static int n; use(&n); return a; }",
    "static inline int b1(int a) { static int n; use(&n); return -a; }",
  ];
  const before = await compile(COMPILERS[compiler], `${a} ${b} int f(int a) { return a1(a) + b1(a); }`);
  const orig = openObject(before, "orig.o");
  const ownerOf = (name: string) => {
    const symbol = orig.atomic.object.symbols.find((one) => one.name === name);
    return orig
      .code()
      ?.locals()
      .find((local) => local.section === symbol?.section)?.owner;
  };
  for (const [kept, source] of [
    ["a1", `${b} ${a} int f(int a) { return a1(a); }`],
    ["b1", `${b} ${a} int f(int a) { return b1(a); }`],
  ] as const) {
    const patched = openObject(await compile(COMPILERS[compiler], source), "patched.o");
    const { carried } = diffObjects(orig, patched);
    const names = carried?.symbols
      .filter(({ name }) => /^n\.\d$/.test(name))
      .map(({ name }) => ownerOf(name));
    expect(names).toEqual([kept]);
  }
});

test("without debug information, a variable that could be another is refused", async () => {
  const { report } = await diff(
    [...COMPILERS["gcc x86_64"], "-g0"],
    "int f(int a) { static int n; use(&n); return a; } int g(int a) { return a; }",
    "int f(int a) { return a; } int g(int a) { static int n; use(&n); return a; }",
  );
  expect(report.refusals).toMatchObject([{ rule: "static-local-added", severity: "unsafe" }]);
});
