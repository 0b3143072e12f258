import { expect, test } from "vitest";
import { ALL_COMPILERS, COMPILERS, diff, testPairs } from "./fixtures/pairs.js";

const UNTRACED = "notrace noinline static int x(int a)";

testPairs([
  {
    what: "a constant table changes with all functions that use it",
    before:
      "static const int t[] = {1, 2, 3}; int f(int i) { return t[i]; } int g(int i) { return t[i] + 1; }",
    after:
      "static const int t[] = {1, 2, 4}; int f(int i) { return t[i]; } int g(int i) { return t[i] + 1; } ",
    outcome: "carried",
    changed: ["f", "g"],
    remarks: ["static-data-changed"],
    says: "the constant 't' changes",
    brought: ["t"],
  },
  {
    what: "a constant table grows",
    before: "static const int t[] = {1, 2, 3, 4, 5}; int f(int i) { return t[i]; }",
    after: "static const int t[] = {1, 2, 3, 4, 5, 6}; int f(int i) { return t[i]; }",
    outcome: "carried",
    changed: ["f"],
    remarks: ["static-data-changed"],
    brought: ["t"],
  },
  {
    what: "a constant table that initialisation code has used",
    before:
      "static const int t[] = {1, 2, 3}; int f(int i) { return t[i]; } void __init start(void) { use(t); }",
    after:
      "static const int t[] = {1, 2, 4}; int f(int i) { return t[i]; } void __init start(void) { use(t); }",
    outcome: "refused",
    refused: ["static-data-changed"],
    says: "'start' has run and may have passed it on",
  },
  {
    what: "a constant table that a variable points to",
    before: "static const int t[] = {1, 2, 3}; const int *p = t; int f(int i) { return t[i]; }",
    after: "static const int t[] = {1, 2, 4}; const int *p = t; int f(int i) { return t[i]; }",
    outcome: "refused",
    refused: ["static-data-changed"],
    says: "'p' points to it",
  },
  {
    what: "a constant table that other files may use",
    before: "const int t[] = {1, 2, 3}; int f(int i) { return t[i]; }",
    after: "const int t[] = {1, 2, 4}; int f(int i) { return t[i]; }",
    outcome: "refused",
    refused: ["static-data-changed"],
  },
  {
    what: "a constant table with a function of another file in it",
    before: "int e(void), e2(void); static int (*const t[])(void) = {e, e}; int f(int i) { return t[i](); }",
    after: "int e(void), e2(void); static int (*const t[])(void) = {e, e2}; int f(int i) { return t[i](); }",
    outcome: "refused",
    refused: ["static-data-changed"],
  },
  {
    what: "a table of functions that a function has for itself",
    before:
      "struct ops { int (*get)(int); }; static int a(int x) { return x; } static int b(int x) { return x + 1; } void f(void) { static const struct ops ops = { a }; use(&ops); use(b); }",
    after:
      "struct ops { int (*get)(int); }; static int a(int x) { return x; } static int b(int x) { return x + 1; } void f(void) { static const struct ops ops = { b }; use(&ops); use(a); }",
    outcome: "refused",
    refused: ["ops-table-changed"],
    gcc: { changed: ["f"] },
    clang: { changed: ["f"] },
  },
  {
    what: "such a table that stays is the kernel's own",
    before:
      "struct ops { int (*get)(int); }; static int a(int x) { return x; } void f(void) { static const struct ops ops = { a }; use(&ops); }",
    after:
      "struct ops { int (*get)(int); }; static int a(int x) { return x; } void f(void) { static const struct ops ops = { a }; use(&ops); use(0); }",
    outcome: "carried",
    changed: ["f"],
    left: ["ops.0"],
    clang: { left: ["f.ops"] },
  },
  {
    what: "a function without ftrace entry: its callers bring it along",
    before: `${UNTRACED} { use(&a); return a * 3; } int f(int a) { return x(a) + 1; } int g(int a) { return x(a) + 2; } int h(int a) { return a; }`,
    after: `${UNTRACED} { use(&a); return a * 5; } int f(int a) { return x(a) + 1; } int g(int a) { return x(a) + 2; } int h(int a) { return a; }`,
    outcome: "carried",
    changed: ["f", "g"],
    remarks: ["not-traceable"],
    says: "what calls it is redirected instead and brings it along: f, g",
    brought: ["x"],
  },
  {
    what: "two functions without ftrace entry, one calling the other",
    before: `${UNTRACED} { use(&a); return a * 3; } notrace noinline static int y(int a) { use(&a); return x(a) + 1; } int f(int a) { return y(a) + 2; }`,
    after: `${UNTRACED} { use(&a); return a * 5; } notrace noinline static int y(int a) { use(&a); return x(a) + 1; } int f(int a) { return y(a) + 2; }`,
    outcome: "carried",
    changed: ["f"],
    remarks: ["not-traceable"],
    brought: ["x", "y"],
  },
  {
    what: "a function without ftrace entry whose address is taken",
    before: `${UNTRACED} { use(&a); return a * 3; } int (*p)(int) = x; int f(int a) { return x(a) + 1; }`,
    after: `${UNTRACED} { use(&a); return a * 5; } int (*p)(int) = x; int f(int a) { return x(a) + 1; }`,
    outcome: "refused",
    refused: ["not-traceable"],
  },
  {
    what: "a function without ftrace entry whose address code takes",
    before: `${UNTRACED} { use(&a); return a * 3; } void f(void) { use(x); }`,
    after: `${UNTRACED} { use(&a); return a * 5; } void f(void) { use(x); }`,
    outcome: "refused",
    refused: ["not-traceable"],
  },
  {
    what: "a function without ftrace entry that only initialisation calls",
    before: `${UNTRACED} { use(&a); return a * 3; } int __init f(int a) { return x(a) + 1; }`,
    after: `${UNTRACED} { use(&a); return a * 5; } int __init f(int a) { return x(a) + 1; }`,
    outcome: "refused",
    refused: ["not-traceable"],
  },
  {
    what: "a function in a section that it shares",
    before:
      "static noinline int __sched x(int a) { use(&a); return a; } noinline int __sched f(int a) { return x(a) + 1; } int __sched g(int a) { return f(a) + x(a); }",
    after:
      'static noinline int __sched x(int a) { use(&a); return a; } noinline int __sched f(int a) { printk("more"); return x(a) + 1; } int __sched g(int a) { return f(a) + x(a); }',
    outcome: "carried",
    changed: ["f"],
    left: ["x", "printk"],
  },
  {
    what: "a static function in a section that it shares, called within",
    before:
      "static noinline int __sched x(int a) { use(&a); return a; } noinline int __sched f(int a) { return x(a) + 1; }",
    after:
      "static noinline int __sched y(int a) { use(&a); return a; } static noinline int __sched x(int a) { use(&a); use(0); return a; } noinline int __sched f(int a) { return y(x(a)) + 1; }",
    outcome: "carried",
    changed: ["f", "x"],
    new: ["y"],
    brought: ["x", "y"],
  },
  {
    what: "a warning that comes once keeps its flag in a section of its own",
    before:
      'int f(int a) { static _Bool in_section(".data.once") __already_done; use(&__already_done); return a; }',
    after:
      'int f(int a) { static _Bool in_section(".data.once") __already_done; use(&__already_done); { static _Bool in_section(".data.once") __already_done; use(&__already_done); } return a; }',
    outcome: "carried",
    changed: ["f"],
  },
  {
    what: "new initialisation code that patched code would need",
    before: "int f(int a) { return a; }",
    after: "static noinline int __init x(int a) { use(&a); return a; } int f(int a) { return x(a); }",
    outcome: "refused",
    changed: ["f"],
    new: ["x"],
    refused: ["init-code"],
  },
  {
    what: "exit code stays as it is, beside what is carried",
    before:
      'int f(int a) { return a; } notrace in_section(".exit.text") void cleanup_module(void) { use(f); }',
    after:
      'int f(int a) { return a + 1; } notrace in_section(".exit.text") void cleanup_module(void) { use(f); use(0); }',
    outcome: "carried",
    changed: ["f"],
    remarks: ["exit-code"],
  },
  {
    what: "a caller that cannot be redirected either is named with what it calls",
    before: `${UNTRACED} { use(&a); return a * 3; } notrace int f(int a) { return x(a) + 1; } int g(int a) { return x(a); }`,
    after: `${UNTRACED} { use(&a); return a * 5; } notrace int f(int a) { return x(a) + 1; } int g(int a) { return x(a); }`,
    outcome: "refused",
    changed: ["g"],
    refused: ["not-traceable"],
    remarks: ["not-traceable"],
    says: "function 'f' changed, but it has no ftrace entry, so calls to it cannot be redirected; it calls 'x'",
  },
  {
    what: "a weak function",
    before: "__attribute__((weak)) int f(int a) { return a; }",
    after: "__attribute__((weak)) int f(int a) { return a + 1; }",
    outcome: "carried",
    changed: ["f"],
    remarks: ["weak-function"],
  },
  {
    what: "all reasons at once",
    before:
      "int limit = 1; int __init start(void) { return 1; } notrace int f(int a) { return a + 1; } int g(int a) { return a; }",
    after:
      "int limit = 2; int __init start(void) { return 2; } notrace int f(int a) { return a + 2; } int g(int a) { return a + 1; }",
    outcome: "refused",
    changed: ["g"],
    refused: ["static-data-changed", "not-traceable", "init-code"],
  },
]);

test.each(ALL_COMPILERS)("each refusal has its symbol and the place of it: %s", async (compiler) => {
  const { report } = await diff(
    COMPILERS[compiler],
    "int limit = 1;\nint __init start(void) { return 1; }\nnotrace int f(int a) { return a + 1; }",
    "int limit = 2;\nint __init start(void) { return 2; }\nnotrace int f(int a) { return a + 2; }",
  );
  expect(report.refusals.map(({ symbol, line }) => [symbol, line]).sort()).toEqual([
    ["f", 3],
    ["limit", 1],
    ["start", 2],
  ]);
});
