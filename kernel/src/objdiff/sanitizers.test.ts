import { describe, expect, test } from "vitest";
import { type Compiler, check, diff, KCFI_CLANG, testPairs } from "./fixtures/pairs.js";

const KASAN = [
  "-fsanitize=kernel-address",
  "-fasan-shadow-offset=0xdffffc0000000000",
  "--param",
  "asan-globals=1",
];
const UBSAN = ["-fsanitize=shift", "-fsanitize=bounds"];
const CLANG: readonly Compiler[] = ["clang x86_64", "clang arm64"];
const TWO = "int t[4]; int f(int a, int b) { return (a << b) + t[a]; } int g(int a) { return t[a]; }";

testPairs([
  {
    what: "UBSAN: places in the source that only move",
    options: UBSAN,
    before: TWO,
    after: `\n\n ${TWO.replace("int g", "\n int g")}`,
    outcome: "unchanged",
  },
  {
    what: "UBSAN: what it knows of a changed function comes along",
    options: UBSAN,
    before: TWO,
    after: TWO.replace("return t[a];", "return t[a] - 3;"),
    outcome: "carried",
    changed: ["g"],
    left: ["t", "__ubsan_handle_out_of_bounds"],
  },
  {
    what: "UBSAN: another type is another check",
    options: UBSAN,
    before: "int t[4]; int f(int a) { return t[a]; }",
    after: "int t[4]; int f(unsigned a) { return t[a & -1u]; }",
    outcome: "carried",
    changed: ["f"],
  },
  {
    what: "KASAN: another string, which its constructor registers",
    options: KASAN,
    only: ["gcc x86_64"],
    before: 'int f(int a) { printk("one"); return a; } int g(int a) { return a; }',
    after: 'int f(int a) { printk("another"); return a; } int g(int a) { return a; }',
    outcome: "carried",
    changed: ["f"],
  },
  {
    what: "KASAN, by clang: another string, and variables that stay",
    options: ["-fsanitize=kernel-address"],
    only: CLANG,
    before:
      'static int t[4]; int f(int a) { printk("one"); return t[a]; } int g(int a) { t[a]++; return a; }',
    after:
      'static int t[4]; int f(int a) { printk("another"); return t[a]; } int g(int a) { t[a]++; return a; }',
    outcome: "carried",
    changed: ["f"],
    left: ["t"],
  },
  {
    what: "KASAN, by clang: a variable changes",
    options: ["-fsanitize=kernel-address"],
    only: CLANG,
    before: "int t[4] = {1}; int f(int a) { return t[a]; }",
    after: "int t[4] = {2}; int f(int a) { return t[a]; }",
    outcome: "refused",
    refused: ["static-data-changed"],
  },
]);

const PAIR = {
  before:
    "int f(int a) { return a + 1; } int (*p)(int) = f; int g(int a) { return p(a); } int h(int a) { return a; }",
  after:
    "int f(int a) { return a + 2; } int (*p)(int) = f; int g(int a) { return p(a) + 2; } int h(int a) { return a; }",
};
const RETYPED = {
  before: "static noinline int f(int a) { use(&a); return a; } void *p = f; int h(int a) { return f(a); }",
  after: "static noinline int f(long a) { use(&a); return a; } void *p = f; int h(int a) { return f(a); }",
};
const SECTIONS = ["-O2", "-g", "-w", "-ffunction-sections", "-fdata-sections", "-fno-pic"];

describe.each([
  [
    "gcc x86_64",
    "gcc",
    ["-mcmodel=kernel", "-pg", "-mfentry", "-mrecord-mcount", "-fcf-protection=branch"],
    "16,16",
  ],
  ["gcc arm64", "aarch64-linux-gnu-gcc", [], "4,2"],
  ["clang arm64", "clang", ["--target=aarch64-linux-gnu"], "4,2"],
] as const)("room before functions: %s", (_, program, options, room) => {
  const command = [program, ...SECTIONS, ...options, `-fpatchable-function-entry=${room}`] as const;

  test("belongs to them", async () => {
    check(await diff(command, PAIR.before, PAIR.after), {
      outcome: "carried",
      changed: ["f", "g"],
      left: ["p"],
    });
  });

  test("also in a section that they share", async () => {
    const [before, after] = [PAIR.before, PAIR.after].map((source) =>
      source.replaceAll(/\bint (?=[fgh]\()/g, "int __sched "),
    );
    check(await diff(command, before ?? "", after ?? ""), { outcome: "carried", changed: ["f", "g"] });
  });
});

// Debian 12 has clang 14, which does not know -fsanitize=kcfi; newer ones are beside it.
describe.skipIf(KCFI_CLANG === undefined)("control flow integrity (clang -fsanitize=kcfi)", () => {
  const clang = KCFI_CLANG ?? "clang";
  describe.each([
    [
      "x86_64",
      ["-mcmodel=kernel", "-pg", "-mfentry", "-fcf-protection=branch", "-fpatchable-function-entry=11,11"],
    ],
    ["arm64", ["--target=aarch64-linux-gnu", "-fpatchable-function-entry=4,2"]],
  ] as const)("%s", (_, options) => {
    const command = [clang, ...SECTIONS, "-fsanitize=kcfi", ...options] as const;

    test("the hash in front of a function is a part of it", async () => {
      const result = await diff(command, PAIR.before, PAIR.after);
      check(result, { outcome: "carried", changed: ["f", "g"], left: ["p"] });
      const functions =
        result.carried?.symbols.filter(({ name }) => name === "f" || name === "__cfi_f") ?? [];
      expect(functions.find(({ name }) => name === "f")?.value).toBeGreaterThan(0);
    });

    test("a function that changes its type is refused", async () => {
      const { report } = await diff(command, RETYPED.before, RETYPED.after);
      expect(report.refusals).toMatchObject([{ rule: "prototype-changed", symbol: "f" }]);
    });
  });
});
