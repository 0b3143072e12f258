import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { writeElf } from "../elf/write.js";
import { diffObjects, openObject } from "./diff-objects.js";
import {
  ALL_COMPILERS,
  COMPILERS,
  compile,
  diff,
  type Pair,
  READ_ONLY_COMPILERS,
  testPairs,
} from "./fixtures/pairs.js";

const folder = mkdtempSync(join(tmpdir(), "hotpatch-diff-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** As EXPORT_SYMBOL, MODULE_DEVICE_TABLE and module_init make them (include/linux/export.h, module.h). */
const exported = (name: string) =>
  `static const char __kstrtab_${name}[] in_section("__ksymtab_strings") __attribute__((used)) = "${name}"; static void *__ksymtab_${name} in_section("___ksymtab+${name}") __attribute__((used)) = ${name};`;
const deviceTable =
  'extern int __mod_usb__products_device_table[] __attribute__((unused, alias("products")));';
const moduleInit = 'int init_module(void) __attribute__((alias("start")));';

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
    clang: { left: ["f.n"] },
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
    data: ["n"],
    clang: { data: ["h.n"] },
  },
  {
    what: "two static locals of one name in one function, told apart by content",
    before:
      "int f(int a) { if (a) { static int n = 1; use(&n); return n; } static int n = 2; use(&n); return n - a; }",
    after:
      "int f(int a) { if (a) { static int n = 1; use(&n); return n; } static int n = 2; use(&n); return n - a - 7; }",
    outcome: "carried",
    changed: ["f"],
    left: ["n.0", "n.1"],
    clang: { left: ["f.n", "f.n.1"] },
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
      "int f(int a) { if (a > 1) { static int n; use(&n); } if (a < 0) { static int n; use(&n); } return 0; }",
    after:
      "int f(int a) { if (a > 1) { static int n; use(&n); } if (a < 0) { static int n; use(&n); } { static int n; use(&n); return 0; } }",
    outcome: "refused",
    changed: ["f"],
    data: ["n", "n", "n"],
    refused: ["static-local-added"],
    clang: { data: ["f.n", "f.n", "f.n"] },
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
    remarks: ["function-removed"],
  },
  {
    what: "the initial value of a variable",
    before: "static int limit = 20; int f(int a) { return a > limit; } void set(int a) { limit = a; }",
    after: "static int limit = 10; int f(int a) { return a > limit; } void set(int a) { limit = a; }",
    outcome: "refused",
    refused: ["static-data-changed"],
  },
  {
    what: "the size of a variable",
    before: "int table[4]; int f(int a) { return table[a]; }",
    after: "int table[8]; int f(int a) { return table[a]; }",
    outcome: "refused",
    refused: ["static-data-changed"],
  },
  {
    what: "a table of functions",
    before:
      "struct ops { int (*get)(int); }; static int a(int x) { return x; } int b(int x) { return x + 1; } const struct ops table = { a };",
    after:
      "struct ops { int (*get)(int); }; static int a(int x) { return x; } int b(int x) { return x + 1; } const struct ops table = { b }; int keep(int x) { return a(x); }",
    outcome: "refused",
    new: ["keep"],
    refused: ["ops-table-changed"],
    remarks: ["function-removed"],
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
    remarks: ["escaping-pointer"],
    left: ["hook"],
  },
  {
    what: "initialisation code",
    before: "int __init start(void) { return 1; }",
    after: "int __init start(void) { return 2; }",
    outcome: "refused",
    refused: ["init-code"],
  },
  {
    what: "a function without ftrace entry",
    before: "notrace int f(int a) { return a + 1; }",
    after: "notrace int f(int a) { return a + 2; }",
    outcome: "refused",
    refused: ["not-traceable"],
  },
  {
    what: "an export that comes, and one that goes",
    before: `int f(int a) { return a; } ${exported("f")}`,
    after: `int f(int a) { return a + 1; } int g(int a) { return a; } ${exported("g")}`,
    outcome: "carried",
    changed: ["f"],
    new: ["g"],
    remarks: ["export-changed"],
    says: "does not export 'g' by this patch",
  },
  {
    what: "a table that modpost knows by another name",
    only: ["gcc x86_64", "gcc arm64"],
    before: `static int products[2] = { 1 }; int *f(void) { return products; } ${deviceTable}`,
    after: `static int products[3] = { 1, 2 }; int *f(void) { return products; } ${deviceTable}`,
    outcome: "refused",
    refused: ["static-data-changed"],
    says: "'products' changes its size",
  },
  {
    what: "a module's initialisation",
    only: ["gcc x86_64", "gcc arm64"],
    before: `static int __init start(void) { return 0; } ${moduleInit}`,
    after: `static int __init start(void) { return 1; } ${moduleInit}`,
    outcome: "refused",
    refused: ["init-code"],
    says: "function 'start' changed",
  },
  {
    what: "a struct that grows",
    before: "struct s { int a; long b; }; long f(struct s *s) { return s->a; }",
    after: "struct s { int a; int c; long b; long d; }; long f(struct s *s) { return s->a; }",
    outcome: "refused",
    refused: ["data-layout"],
  },
  {
    what: "a member that changes its type, not its size",
    before: "struct s { int a; unsigned int b; }; long f(struct s *s) { return s->a; }",
    after: "struct s { int a; float b; }; long f(struct s *s) { return s->a; }",
    outcome: "refused",
    refused: ["data-layout"],
  },
  {
    what: "a member that gets a second name, in a union that is new",
    before: "struct s { int a; struct o *b; }; long f(struct s *s) { return s->a; }",
    after:
      "struct s { int a; union { struct o *b; struct o *c; }; }; long f(struct s *s) { return s->a + 1; }",
    outcome: "carried",
    changed: ["f"],
    remarks: ["data-layout"],
    says: "struct s keeps its layout: 'c' is a new name",
  },
  {
    what: "members that change places",
    before: "struct s { int a, b; }; long f(struct s *s) { return s->a; }",
    after: "struct s { int b, c; }; long f(struct s *s) { return s->b; }",
    outcome: "refused",
    refused: ["data-layout"],
  },
  {
    what: "a member that moves within an anonymous union",
    before: "typedef struct { union { int a; struct { short b, c; }; }; } u; int f(u *s) { return s->a; }",
    after: "typedef struct { union { int a; struct { short c, b; }; }; } u; int f(u *s) { return s->a; }",
    outcome: "refused",
    refused: ["data-layout"],
  },
  {
    what: "a new enumerator before others",
    before: "enum e { A, B }; int f(enum e e) { return e == B; }",
    after: "enum e { A, NEW, B }; int f(enum e e) { return e == B; }",
    outcome: "carried",
    changed: ["f"],
    remarks: ["constant-meaning"],
  },
  {
    what: "a variable that moves to another section",
    before: "int setting = 1; int f(void) { return setting; }",
    after: '__attribute__((section(".data..read_mostly"))) int setting = 1; int f(void) { return setting; }',
    outcome: "refused",
    refused: ["section-placement"],
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
testPairs(PAIRS, [...ALL_COMPILERS, ...READ_ONLY_COMPILERS]);

test.each(ALL_COMPILERS)("where a refused variable is declared: %s", async (compiler) => {
  const { report } = await diff(COMPILERS[compiler], "int a;\nint limit = 1;\n", "int a;\nint limit = 2;\n");
  expect(report.refusals[0]).toMatchObject({ symbol: "limit", line: 2 });
});

test("diff.o can be linked and disassembled", async () => {
  const { carried } = await diff(
    COMPILERS["gcc x86_64"],
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

test("objects of two architectures cannot be compared", async () => {
  const source = "int f(int a) { return a; }";
  const x86 = await compile(COMPILERS["gcc x86_64"], source);
  const arm = await compile(COMPILERS["gcc arm64"], source);
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

test("LLVM bitcode is turned away in words", async () => {
  const bitcode = await compile([...COMPILERS["clang x86_64"], "-flto"], "int f(int a) { return a; }");
  expect(() => openObject(bitcode, "lto.o")).toThrow("lto.o is LLVM bitcode: a kernel with CONFIG_LTO_CLANG");
});

test("an object of a million and more strings is turned away before they cost memory", async () => {
  const strings = 'asm(".section .rodata.str1.1,\\"aMS\\",@progbits,1; .zero 2000000; .text");';
  const object = await compile(COMPILERS["gcc x86_64"], strings);
  expect(() => openObject(object, "strings.o")).toThrow(
    "strings.o: it holds more than 1048576 functions, variables and constants",
  );
});
