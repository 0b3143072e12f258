import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { writeElf } from "../elf/write.js";
import { type DiffResult, diffObjects, openObject } from "./diff-objects.js";

const folder = mkdtempSync(join(tmpdir(), "hotpatch-objdiff-"));
afterAll(() => rmSync(folder, { recursive: true }));

const COMMON = [
  "-O2",
  "-g",
  "-ffunction-sections",
  "-fdata-sections",
  "-fno-pic",
  "-fno-common",
  "-fno-asynchronous-unwind-tables",
  "-fno-unwind-tables",
];
const COMPILERS = {
  x86_64: [
    "gcc",
    ...COMMON,
    "-mcmodel=kernel",
    "-pg",
    "-mfentry",
    "-mrecord-mcount",
    "-fno-jump-tables",
    "-fcf-protection=none",
  ],
  arm64: ["aarch64-linux-gnu-gcc", ...COMMON, "-fpatchable-function-entry=2"],
} as const;
type Arch = keyof typeof COMPILERS;

const PRELUDE = `
typedef unsigned long size_t;
extern int printk(const char *, ...);
extern void *memcpy(void *, const void *, size_t);
#define noinline __attribute__((noinline))
#define __init __attribute__((section(".init.text")))
#define notrace __attribute__((patchable_function_entry(0, 0), no_instrument_function))
#line 1
`;

function compile(arch: Arch, name: string, source: string): Uint8Array {
  const [c, o] = [join(folder, `${name}.c`), join(folder, `${name}.o`)];
  writeFileSync(c, PRELUDE + source);
  const [program, ...options] = COMPILERS[arch];
  execFileSync(program, [...options, "-c", "-o", o, c], { stdio: ["ignore", "ignore", "inherit"] });
  return readFileSync(o);
}

function diff(arch: Arch, before: string, after: string): DiffResult {
  const orig = openObject(compile(arch, "unit", before), "orig.o");
  return diffObjects(orig, openObject(compile(arch, "unit", after), "patched.o"));
}

interface Pair {
  readonly what: string;
  readonly before: string;
  readonly after: string;
  readonly outcome: DiffResult["report"]["outcome"];
  readonly changed?: readonly string[];
  readonly new?: readonly string[];
  readonly data?: readonly string[];
  /** Rules of all refusals and remarks. */
  readonly rules?: readonly string[];
  /** Names that diff.o leaves to the running kernel; not all, these at least. */
  readonly left?: readonly string[];
}

const PAIRS: readonly Pair[] = [
  {
    what: "the same file",
    before: "static int n; int f(int a) { return n += a; }",
    after: "static int n; int f(int a) { return n += a; }",
    outcome: "unchanged",
  },
  {
    what: "one function of two",
    before: "int f(int a) { return a + 1; } int g(int a) { return a + 2; }",
    after: "int f(int a) { return a + 1; } int g(int a) { return a + 3; }",
    outcome: "carried",
    changed: ["g"],
  },
  {
    what: "functions in another order, and more blank lines",
    before: "int f(int a) { return a + 1; } int g(int a) { return a + 2; }",
    after: "int g(int a) { return a + 2; }\n\n\nint f(int a) { return a + 1; }",
    outcome: "unchanged",
  },
  {
    what: "a string",
    before: 'void f(void) { printk("one"); } void g(void) { printk("two"); }',
    after: 'void f(void) { printk("one"); } void g(void) { printk("three"); }',
    outcome: "carried",
    changed: ["g"],
    left: ["printk"],
  },
  {
    what: "a string added before others, so that they move",
    before: 'void f(void) { printk("bbb"); } void g(void) { printk("ccc"); }',
    after: 'void h(void); void f(void) { printk("aaa"); printk("bbb"); } void g(void) { printk("ccc"); }',
    outcome: "carried",
    changed: ["f"],
  },
  {
    what: "an inlined function, by its callers",
    before:
      "static inline int one(void) { return 1; } int f(int a) { return a + one(); } int g(int a) { return a; }",
    after:
      "static inline int one(void) { return 2; } int f(int a) { return a + one(); } int g(int a) { return a; }",
    outcome: "carried",
    changed: ["f"],
  },
  {
    what: "static data that a changed function uses stays the kernel's own",
    before: "static int n; int f(int a) { n += a; return n; } int g(void) { return n; }",
    after: "static int n; int f(int a) { n += a + 1; return n; } int g(void) { return n; }",
    outcome: "carried",
    changed: ["f"],
    left: ["n"],
  },
  {
    what: "a static local keeps its value",
    before: "int f(int a) { static int n = 3; n += a; return n; }",
    after: "int f(int a) { static int n = 3; n += a + 1; return n; }",
    outcome: "carried",
    changed: ["f"],
    left: ["n.0"],
  },
  {
    what: "static locals of one name in two functions, renumbered by a third",
    before:
      "int f(int a) { static int n = 1; return n += a; } int g(int a) { static int n = 2; return n -= a; }",
    after:
      "int h(int a) { static int n = 9; return n *= a; } int f(int a) { static int n = 1; return n += a + 1; } int g(int a) { static int n = 2; return n -= a; }",
    outcome: "carried",
    changed: ["f"],
    new: ["h"],
    data: [expect.stringMatching(/^n\.\d$/) as unknown as string],
  },
  {
    what: "two static locals of one name in one function, told apart by content",
    before: "int f(int a) { if (a) { static int n = 1; return n += a; } static int n = 2; return n -= a; }",
    after:
      "int f(int a) { if (a) { static int n = 1; return n += a; } static int n = 2; return n -= a + 7; }",
    outcome: "carried",
    changed: ["f"],
    left: ["n.0", "n.1"],
  },
  {
    what: "static locals of one name in a function that is inlined into several",
    before:
      "static inline int once(int a) { static int n; if (a) return n++; return 0; } int f(int a) { static int n; return once(a) + n++; } int g(int a) { static int n = 4; n += a; return once(a + 1) + n; }",
    after:
      "static inline int once(int a) { static int n; if (a) return n++; return 0; } int f(int a) { static int n; return once(a) + n++; } int g(int a) { static int n = 4; n += a; return once(a + 2) + n; }",
    outcome: "carried",
    changed: ["g"],
  },
  {
    what: "a warning that comes once, in a function with others of the kind",
    before:
      'int f(int a) { { static int __warned; if (a == 1 && !__warned) { __warned = 1; printk("1"); } } { static int __warned; if (a == 2 && !__warned) { __warned = 1; printk("2"); } } return a; }',
    after:
      'int f(int a) { { static int __warned; if (a == 1 && !__warned) { __warned = 1; printk("1"); } } return a; }',
    outcome: "carried",
    changed: ["f"],
  },
  {
    what: "how many static locals of one name there are",
    before:
      "int f(int a) { if (a > 1) { static int n; return n += a; } if (a < 0) { static int n; return n -= a; } return 0; }",
    after:
      "int f(int a) { if (a > 1) { static int n; return n += a; } if (a < 0) { static int n; return n -= a; } { static int n; return n ^= a; } }",
    outcome: "refused",
    changed: ["f"],
    data: ["n.1", "n.2", "n.0"],
    rules: ["static-local-added"],
  },
  {
    what: "new functions and data, as far as they are reached",
    before: "int f(int a) { return a; }",
    after:
      "static int counter; static noinline int step(int a) { counter += a; return counter; } static noinline int unused(int a) { return a; } int f(int a) { return step(a) + a; }",
    outcome: "carried",
    changed: ["f"],
    new: ["step"],
    data: ["counter"],
  },
  {
    what: "a new global function, also when nobody here calls it",
    before: "int f(int a) { return a; }",
    after: "int shared(int a) { return a * 3; } int f(int a) { return a + 1; }",
    outcome: "carried",
    changed: ["f"],
    new: ["shared"],
  },
  {
    what: "a function that goes",
    before: "static noinline int old(int a) { return a * 3; } int f(int a) { return old(a) + 1; }",
    after: "int f(int a) { return a * 5; }",
    outcome: "carried",
    changed: ["f"],
    rules: [expect.stringMatching(/^(function-removed|compiler-clone)$/) as unknown as string],
  },
  {
    what: "the initial value of a variable",
    before: "static int limit = 20; int f(int a) { return a > limit; } void set(int a) { limit = a; }",
    after: "static int limit = 10; int f(int a) { return a > limit; } void set(int a) { limit = a; }",
    outcome: "refused",
    rules: ["static-data-changed"],
  },
  {
    what: "the size of a variable",
    before: "int table[4]; int f(int a) { return table[a]; }",
    after: "int table[8]; int f(int a) { return table[a]; }",
    outcome: "refused",
    rules: ["static-data-changed"],
  },
  {
    what: "a table of functions",
    before:
      "struct ops { int (*get)(int); }; static int a(int x) { return x; } int b(int x) { return x + 1; } const struct ops table = { a };",
    after:
      "struct ops { int (*get)(int); }; static int a(int x) { return x; } int b(int x) { return x + 1; } const struct ops table = { b }; int keep(int x) { return a(x); }",
    outcome: "refused",
    new: ["keep"],
    rules: ["ops-table-changed", "function-removed"],
  },
  {
    what: "a function in a table that does not change itself",
    before:
      "struct ops { int (*get)(int); }; static int a(int x) { return x; } const struct ops table = { a };",
    after:
      "struct ops { int (*get)(int); }; static int a(int x) { return x + 1; } const struct ops table = { a };",
    outcome: "carried",
    changed: ["a"],
  },
  {
    what: "the address of a changed function is the kernel's own",
    before: "int f(int x) { return x; } void *g(int a) { return a ? (void *)f : 0; }",
    after: "int f(int x) { return x + 1; } void *g(int a) { return a > 1 ? (void *)f : 0; }",
    outcome: "carried",
    changed: ["f", "g"],
    left: ["f"],
  },
  {
    what: "the address of a new function escapes",
    before: "void (*hook)(void); void f(void) { hook = 0; }",
    after: 'void (*hook)(void); static void fresh(void) { printk("x"); } void f(void) { hook = fresh; }',
    outcome: "carried",
    changed: ["f"],
    new: ["fresh"],
    rules: ["escaping-pointer"],
    left: ["hook"],
  },
  {
    what: "initialisation code",
    before: "int __init start(void) { return 1; }",
    after: "int __init start(void) { return 2; }",
    outcome: "refused",
    rules: ["init-code"],
  },
  {
    what: "a function without ftrace entry",
    before: "notrace int f(int a) { return a + 1; }",
    after: "notrace int f(int a) { return a + 2; }",
    outcome: "refused",
    rules: ["not-traceable"],
  },
  {
    what: "a struct that grows",
    before: "struct s { int a; long b; }; long f(struct s *s) { return s->a; }",
    after: "struct s { int a; int c; long b; long d; }; long f(struct s *s) { return s->a; }",
    outcome: "refused",
    rules: ["data-layout"],
  },
  {
    what: "a member that changes its type, not its size",
    before: "struct s { int a; unsigned int b; }; long f(struct s *s) { return s->a; }",
    after: "struct s { int a; float b; }; long f(struct s *s) { return s->a; }",
    outcome: "refused",
    rules: ["data-layout"],
  },
  {
    what: "a member that moves within an anonymous union",
    before: "typedef struct { union { int a; struct { short b, c; }; }; } u; int f(u *s) { return s->a; }",
    after: "typedef struct { union { int a; struct { short c, b; }; }; } u; int f(u *s) { return s->a; }",
    outcome: "refused",
    rules: ["data-layout"],
  },
  {
    what: "a new enumerator before others",
    before: "enum e { A, B }; int f(enum e e) { return e == B; }",
    after: "enum e { A, NEW, B }; int f(enum e e) { return e == B; }",
    outcome: "carried",
    changed: ["f"],
    rules: ["constant-meaning"],
  },
  {
    what: "a variable that moves to another section",
    before: "int setting = 1; int f(void) { return setting; }",
    after: '__attribute__((section(".data..read_mostly"))) int setting = 1; int f(void) { return setting; }',
    outcome: "refused",
    rules: ["section-placement"],
  },
  {
    what: "__func__, whatever its number",
    before: 'void f(void) { printk("%s", __func__); }',
    after: 'void e(void) { printk("%s", __func__); } void f(void) { printk("%s", __func__); }',
    outcome: "carried",
    new: ["e"],
  },
  {
    what: "the unlikely part of a function",
    before:
      "extern void bad(int) __attribute__((cold)); int f(int a) { if (__builtin_expect(a > 3, 0)) { bad(a); bad(1); } return a; }",
    after:
      "extern void bad(int) __attribute__((cold)); int f(int a) { if (__builtin_expect(a > 3, 0)) { bad(a); bad(2); } return a; }",
    outcome: "carried",
    changed: ["f"],
    left: ["bad"],
  },
];

describe.each(["x86_64", "arm64"] as const)("pairs for %s", (arch) => {
  test.each(PAIRS)("$what", (pair) => {
    const { report, carried } = diff(arch, pair.before, pair.after);
    expect({
      outcome: report.outcome,
      changed: report.changed,
      new: report.new,
      data: report.data.map(({ name }) => name),
      rules: [...report.refusals, ...report.remarks].map(({ rule }) => rule),
    }).toEqual({
      outcome: pair.outcome,
      changed: pair.changed ?? [],
      new: pair.new ?? [],
      data: pair.data ?? [],
      rules: pair.rules ?? [],
    });
    const left = carried?.symbols.filter(({ section }) => section === "undefined").map(({ name }) => name);
    if (pair.left) expect(left).toEqual(expect.arrayContaining([...pair.left]));
    expect(carried !== undefined).toBe(pair.outcome === "carried");
  });
});

test("where a refused variable is declared", () => {
  const { report } = diff("x86_64", "int a;\nint limit = 1;\n", "int a;\nint limit = 2;\n");
  expect(report.refusals[0]).toMatchObject({ symbol: "limit", line: 2 });
});

test("diff.o can be linked and disassembled", () => {
  const { carried } = diff(
    "x86_64",
    'static int n; int f(int a) { printk("%s %d", __func__, n += a); return n; }',
    'static int n; int f(int a) { printk("%s: %d", __func__, n += a); return n; }',
  );
  const path = join(folder, "diff.o");
  writeFileSync(path, carried ? writeElf(carried) : "");
  const code = execFileSync("objdump", ["-dr", path], { encoding: "utf8" });
  expect(code).toContain("<f>:");
  expect(code).toMatch(/R_X86_64_\w+\s+n-0x4/);
  execFileSync("ld", ["-r", "-o", join(folder, "linked.o"), path]);
});

test("objects of two architectures cannot be compared", () => {
  const source = "int f(int a) { return a; }";
  const [x86, arm] = [compile("x86_64", "a", source), compile("arm64", "b", source)];
  expect(() => diffObjects(openObject(x86, "a.o"), openObject(arm, "b.o"))).toThrow(
    "a.o is for x86_64, b.o for arm64",
  );
});

test("an object without a section for each function is turned away", () => {
  const path = join(folder, "plain.o");
  writeFileSync(join(folder, "plain.c"), "int f(int a) { return a; }");
  execFileSync("gcc", ["-O2", "-c", "-o", path, join(folder, "plain.c")]);
  expect(() => openObject(readFileSync(path), "plain.o")).toThrow("all functions are in one section");
});

describe("marks of the patch's author", () => {
  const include = fileURLToPath(new URL("../../runtime/include", import.meta.url));
  /** The header as it is, on as much of a kernel as it needs. */
  const marked = (source: string) => `
typedef unsigned long long u64;
#define __used __attribute__((used))
#define CONCATENATED(a, b) a##b
#define CONCATENATE(a, b) CONCATENATED(a, b)
#define __UNIQUE_ID(prefix) CONCATENATE(__UNIQUE_ID_##prefix, __COUNTER__)
${readFileSync(join(include, "hotpatch.h"), "utf8").replace(/^#include.*$/gm, "")}
#line 1
${source}`;
  const BEFORE = "int limit = 1; int work(int a) { return a > limit; } int other(int a) { return a + 1; }";

  test.each(["x86_64", "arm64"] as const)("callbacks and states are taken along, on %s", (arch) => {
    const { report, carried, callbacks, states } = diff(
      arch,
      BEFORE,
      marked(`${BEFORE}
static int begin(struct klp_object *obj) { limit = 2; return 0; }
HOTPATCH_PRE_PATCH_CALLBACK(begin);
static void end(struct klp_object *obj) { limit = 1; }
HOTPATCH_POST_UNPATCH_CALLBACK(end)
HOTPATCH_STATE(7, 2);
HOTPATCH_STATE(8, 1);`),
    );
    expect(report).toMatchObject({ outcome: "carried", changed: [], new: ["begin", "end"], refusals: [] });
    expect(callbacks).toEqual([
      { kind: "pre_patch", name: "begin" },
      { kind: "post_unpatch", name: "end" },
    ]);
    expect(states).toEqual([
      { id: 7, version: 2 },
      { id: 8, version: 1 },
    ]);
    expect(carried?.sections.filter(({ name }) => name.includes("hotpatch"))).toEqual([]);
  });

  test("callbacks by the kernel's own header", () => {
    const { callbacks } = diff(
      "x86_64",
      BEFORE,
      `${BEFORE}
struct klp_object;
static void begin(struct klp_object *obj) { limit = 2; }
void (*__klp_post_patch_callback_vmlinux)(struct klp_object *)
  __attribute__((used, section(".discard.klp_callback_ptrs"))) = begin;`,
    );
    expect(callbacks).toEqual([{ kind: "post_patch", name: "begin" }]);
  });

  test("a callback of another file is refused", () => {
    const { report } = diff(
      "x86_64",
      BEFORE,
      marked(`${BEFORE} int begin(struct klp_object *obj); HOTPATCH_PRE_PATCH_CALLBACK(begin)`),
    );
    expect(report.refusals).toMatchObject([{ rule: "callback-pairing", symbol: "begin" }]);
  });

  const AFTER = BEFORE.replace("a > limit", "a >= limit").replace("a + 1", "a + 2").replace("= 1", "= 3");

  test("an ignored function is not redirected, and that is said", () => {
    const { report } = diff(
      "x86_64",
      BEFORE,
      marked(`${AFTER.replace("= 3", "= 1")} HOTPATCH_IGNORE_FUNCTION(other);`),
    );
    expect(report).toMatchObject({ outcome: "carried", changed: ["work"] });
    expect(report.remarks).toMatchObject([{ rule: "left-out", symbol: "other" }]);
  });

  test("an ignored section, and a refusal that is overruled", () => {
    const plain = diff("x86_64", BEFORE, AFTER);
    expect(plain.report.refusals).toMatchObject([{ rule: "static-data-changed", symbol: "limit" }]);
    const ignored = diff("x86_64", BEFORE, marked(`${AFTER} HOTPATCH_IGNORE_SECTION(".data.limit")`));
    expect(ignored.report).toMatchObject({ outcome: "carried", remarks: [{ rule: "left-out" }] });
    const forced = diff("x86_64", BEFORE, marked(`${AFTER} HOTPATCH_FORCE(limit, "set by hand")`));
    expect(forced.report).toMatchObject({
      outcome: "carried",
      changed: ["other", "work"],
      remarks: [{ rule: "static-data-changed", severity: "needs-review", symbol: "limit" }],
    });
    expect(forced.report.remarks[0]?.message).toContain('"set by hand"');
  });

  test("the marks count, and initcalls that are counted with them stay who they are", () => {
    const counted = `${BEFORE}
#define INITCALL(count) \
  static int CONCATENATED(__initcall__kmod_unit__##count, _173_work5) \
    __attribute__((used, section(".initcall5.init"))) = 1;
`;
    const numbers = "#define CONCATENATED(a, b) a##b\n";
    const { report } = diff(
      "x86_64",
      `${numbers}${counted} INITCALL(311)`,
      `${numbers}${counted} INITCALL(384)`,
    );
    expect(report.outcome).toBe("unchanged");
  });

  test("a mark for what is not there is said to be of no use", () => {
    const { report } = diff("x86_64", BEFORE, marked(`${BEFORE} HOTPATCH_IGNORE_FUNCTION(nobody)`));
    expect(report).toMatchObject({
      outcome: "unchanged",
      remarks: [{ rule: "left-out", severity: "info", symbol: "nobody" }],
    });
  });
});
