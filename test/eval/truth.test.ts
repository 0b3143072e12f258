import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { sourceChange } from "./source-change.js";
import { type Label, truthOf } from "./truth.js";

const folder = mkdtempSync(join(tmpdir(), "hotpatch-truth-"));
afterAll(() => rmSync(folder, { recursive: true }));

const OPTIONS = [
  "-O2",
  "-g",
  "-ffunction-sections",
  "-fdata-sections",
  "-fno-pic",
  "-fno-common",
  "-fno-asynchronous-unwind-tables",
  "-mcmodel=kernel",
  "-pg",
  "-mfentry",
  "-mrecord-mcount",
  "-fcf-protection=none",
];

const PRELUDE = `
extern int printk(const char *, ...);
#define noinline __attribute__((noinline))
#define __init __attribute__((section(".init.text")))
#define __initdata __attribute__((section(".init.data")))
#define __exit __attribute__((section(".exit.text"), no_instrument_function))
#define __percpu_data __attribute__((section(".data..percpu")))
#define __read_mostly __attribute__((section(".data..read_mostly")))
#define notrace __attribute__((no_instrument_function))
#define EXPORT(f) static void *__ksymtab_##f __attribute__((used, section("___ksymtab+" #f))) = f
#line 1
`;

function compile(name: string, source: string): Uint8Array {
  const [c, o] = [join(folder, `${name}.c`), join(folder, `${name}.o`)];
  writeFileSync(c, PRELUDE + source);
  execFileSync("gcc", [...OPTIONS, "-c", "-o", o, c], { stdio: ["ignore", "ignore", "inherit"] });
  return readFileSync(o);
}

/** Both texts in one line, so that the patch is that line. */
function truth(before: string, after: string) {
  const [orig, patched] = [compile("unit", before), compile("unit", after)];
  const lines = (text: string, sign: string) =>
    text
      .split("\n")
      .map((line) => `${sign}${line}\n`)
      .join("");
  const patch = `@@ -1 +1 @@\n${lines(before, "-")}${lines(after, "+")}`;
  return truthOf(orig, patched, sourceChange("unit.c", Buffer.from(before), Buffer.from(after), patch));
}

const words = ({ rule, symbol, doubt }: Label) =>
  `${rule}${symbol === undefined ? "" : ` ${symbol}`}${doubt === undefined ? "" : "?"}`;

interface Pair {
  readonly what: string;
  readonly before: string;
  readonly after: string;
  /** `rule symbol`, with a `?` where the truth is in doubt. */
  readonly labels: readonly string[];
  readonly changed?: readonly string[];
}

const USE = "int use(int *p) { return *p; }";
const PAIRS: readonly Pair[] = [
  {
    what: "a function's code, and nothing else",
    before: "int f(int a) { return a + 1; }",
    after: "int f(int a) { return a + 2; }",
    labels: [],
    changed: ["f"],
  },
  {
    what: "a comment",
    before: "int f(int a) { return a; }",
    after: "int f(int a) { /* same */ return a; }",
    labels: ["no-functional-change"],
  },
  {
    what: "code that the configuration removes",
    before: "int f(int a) {\n#ifdef OFF\na++;\n#endif\nreturn a; }",
    after: "int f(int a) {\n#ifdef OFF\na--;\n#endif\nreturn a; }",
    labels: ["compiled-out?"],
  },
  {
    what: "strings and static locals that are numbered anew",
    before: 'int f(int a) { static int n = 1; printk("x"); return n += a; } int g(int a) { return a; }',
    after:
      'int g(int a) { static int m; printk("y"); return m += a; } int f(int a) { static int n = 1; printk("x"); return n += a; }',
    labels: ["static-local-added m"],
    changed: ["g"],
  },
  {
    what: "an initial value",
    before: `int limit = 10; static int other = 3; ${USE} int f(void) { return use(&other); }`,
    after: `int limit = 20; static int other = 3; ${USE} int f(void) { return use(&other); }`,
    labels: ["static-data-changed limit"],
  },
  {
    what: "a string that a table points to",
    before: 'const char *const names[] = { "a", "b" };',
    after: 'const char *const names[] = { "a", "c" };',
    labels: ["static-data-changed names"],
  },
  {
    what: "a value behind a compound literal",
    before: "int *p = (int []){ 1, 2 };",
    after: "int *p = (int []){ 1, 3 };",
    labels: ["static-data-changed p"],
  },
  {
    what: "a table of functions",
    before:
      "struct ops { int (*get)(int); }; int a(int x) { return x; } int b(int x) { return x * 3; } struct ops table = { a };",
    after:
      "struct ops { int (*get)(int); }; int a(int x) { return x; } int b(int x) { return x * 3; } struct ops table = { b };",
    labels: ["ops-table-changed table"],
  },
  {
    what: "a table whose function changes itself",
    before: "struct ops { int (*get)(int); }; static int a(int x) { return x; } struct ops table = { a };",
    after: "struct ops { int (*get)(int); }; static int a(int x) { return x + 1; } struct ops table = { a };",
    labels: [],
    changed: ["a"],
  },
  {
    what: "per-CPU data",
    before: "__percpu_data int counter = 1;",
    after: "__percpu_data int counter = 2; __percpu_data int more;",
    labels: ["percpu-changed counter", "percpu-changed more"],
  },
  {
    what: "new data, and data that is gone",
    before: "int old; int f(void) { return 1; }",
    after: "int fresh; int f(void) { return 1; }",
    labels: ["data-removed old", "data-added fresh"],
  },
  {
    what: "a static local that is gone",
    before: "int f(int a) { static int n; return n += a; }",
    after: "int f(int a) { return a; }",
    labels: ["static-local-removed n"],
    changed: ["f"],
  },
  {
    what: "a function's own constants",
    before: "int f(int a) { return a; }",
    after: "int f(int a) { static const char text[] = { 1, 2, 3 }; return printk(text + a); }",
    labels: ["static-local-added text?"],
    changed: ["f"],
  },
  {
    what: "names that macros count",
    before: "extern int __BTF_ID__struct__s__11; int *p = &__BTF_ID__struct__s__11;",
    after: "extern int __BTF_ID__struct__s__12; int *p = &__BTF_ID__struct__s__12;",
    labels: ["compiled-out?"],
  },
  {
    what: "a function that is inlined into others of a file without ftrace entries",
    before: "static int g(int a) { return a * 3; } notrace int f(int a) { return g(a); }",
    after: "static int g(int a) { return a * 5; } notrace int f(int a) { return g(a); }",
    labels: ["not-traceable f", "not-traceable g?"],
  },
  {
    what: "a variable in another section",
    before: "int n = 1;",
    after: "__read_mostly int n = 1;",
    labels: ["section-placement n"],
  },
  {
    what: "code and data of the start, which others call within one section",
    before:
      "__initdata int n = 1; int sum; __init noinline static void a(void) { sum += n; } __init void between(void) { sum++; } __init void b(void) { a(); a(); } __exit void bye(void) { sum = 0; }",
    after:
      "__initdata int n = 2; int sum; __init noinline static void a(void) { sum += n; } __init void between(void) { sum += 70000 * n; } __init void b(void) { a(); a(); } __exit void bye(void) { sum = 1; }",
    labels: ["exit-code bye", "init-code between", "init-code n"],
  },
  {
    what: "what is inlined into the start's code",
    before: "int sum; static void a(void) { sum++; }\n__init void b(void) { a(); }",
    after: "int sum; static void a(void) { sum += 2; }\n__init void b(void) { a(); }",
    labels: ["init-code b"],
  },
  {
    what: "a struct that grows, and data of it",
    before: "struct s { int a; }; struct s v = { 1 }; int f(struct s *p) { return p->a; }",
    after: "struct s { int a; int b; }; struct s v = { 1 }; int f(struct s *p) { return p->a; }",
    labels: ["data-layout struct s", "static-data-changed v?"],
  },
  {
    what: "a member's new name",
    before: "struct s { int a; }; int f(struct s *p) { return p->a; }",
    after: "struct s { int z; }; int f(struct s *p) { return p->z; }",
    labels: ["compiled-out?", "data-layout struct s?"],
  },
  {
    what: "enumerators",
    before:
      "enum e { A, B }; enum e f(int a) { return a ? A : B; } enum g { C }; enum g h(void) { return C; }",
    after:
      "enum e { A, N, B }; enum e f(int a) { return a ? A : B; } enum g { C, D }; enum g h(void) { return C; }",
    labels: ["constant-meaning enum e", "enumerator-added enum g"],
    changed: ["f"],
  },
  {
    what: "functions without ftrace entry",
    before: "notrace int f(int a) { return a; } int g(int a) { return a; }",
    after: "notrace int f(int a) { return a + 1; } int g(int a) { return a + 1; }",
    labels: ["not-traceable f"],
    changed: ["f", "g"],
  },
  {
    what: "an export that goes and one that comes",
    before: "int f(void) { return 1; } int g(void) { return 2; } EXPORT(f);",
    after: "int f(void) { return 1; } int g(void) { return 2; } EXPORT(g);",
    labels: ["export-changed f", "export-changed g"],
  },
  {
    what: "signatures",
    before:
      "int f(int a) { return a; } int g(char *s) { return *s; } static noinline int h(int a) { return a; } int i(void) { return h(1); }",
    after:
      "int f(int a, int b) { return a; } int g(const char *s) { return *s; } static noinline int h(int a) { return a; } int i(void) { return h(1); }",
    labels: ["prototype-changed f", "prototype-changed g"],
  },
  {
    what: "a function that is gone",
    before: "static noinline int old(int a) { return a * a; } int f(int a) { return old(a); }",
    after: "int f(int a) { return a; }",
    labels: ["function-removed old"],
    changed: ["f"],
  },
];

test.each(PAIRS)("$what", ({ before, after, labels, changed }) => {
  const found = truth(before, after);
  expect(found.labels.map(words).sort()).toEqual([...labels].sort());
  if (changed) expect([...found.changed].sort()).toEqual([...changed].sort());
});

test("a label of a caller names the touched function that was inlined into it", () => {
  const found = truth(
    "int sum; static void a(void) { sum++; }\n\n__init void b(void) { a(); }",
    "int sum; static void a(void) { sum += 2; }\n\n__init void b(void) { a(); }",
  );
  expect(found.labels).toMatchObject([{ rule: "init-code", symbol: "b", also: ["a"], isUnsafe: true }]);
});

test("what only the compiler chose to change is in doubt", () => {
  const others = "static noinline int g(int a) { return a * a; }\nnotrace int f(void) { return g(3); }\n";
  const [before, after] = [`${others}int h(int a) { return g(a); }`, `${others}int h(int a) { return a; }`];
  const patch = "@@ -3 +3 @@\n-int h(int a) { return g(a); }\n+int h(int a) { return a; }\n";
  const change = sourceChange("unit.c", Buffer.from(before), Buffer.from(after), patch);
  const found = truthOf(compile("unit", before), compile("unit", after), change);
  expect(found.fanOut).toEqual(["g", "f"]);
  expect(found.labels.map(words)).toEqual(["not-traceable f?"]);
});

test("evidence says what differed", () => {
  const found = truth("int limit = 10;", "int limit = 20;");
  expect(found.labels[0]?.evidence).toBe("data: byte 0: 10 -> 20");
});
