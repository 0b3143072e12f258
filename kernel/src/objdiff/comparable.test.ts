import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { diffObjects, type OpenObject, openObject } from "./diff-objects.js";

const folder = mkdtempSync(join(tmpdir(), "hotpatch-comparable-"));
afterAll(() => rmSync(folder, { recursive: true }));

const SECTIONS = ["-ffunction-sections", "-fdata-sections"];
const SOURCE = "int count = 3; int zero; int f(int a) { return a + count + zero; }";

function open(name: string, compiler: string, ...options: string[]): OpenObject {
  const [source, object] = [join(folder, "unit.c"), join(folder, name)];
  writeFileSync(source, SOURCE);
  execFileSync(compiler, ["-O2", "-fno-pic", ...options, "-c", "-o", object, source]);
  return openObject(readFileSync(object), name);
}

const CASES: readonly [what: string, orig: () => OpenObject, patched: () => OpenObject, words: RegExp][] = [
  [
    "another architecture",
    () => open("a.o", "gcc", ...SECTIONS),
    () => open("b.o", "s390x-linux-gnu-gcc", ...SECTIONS),
    /^a\.o is for x86_64, b\.o for s390x$/,
  ],
  [
    "another compiler",
    () => open("a.o", "gcc", ...SECTIONS),
    () => open("b.o", "clang", ...SECTIONS),
    /^a\.o was compiled by GCC: .*, b\.o by .*clang/,
  ],
  [
    "another ABI",
    () => open("a.o", "powerpc64le-linux-gnu-gcc", "-mabi=elfv2", ...SECTIONS),
    () => open("b.o", "powerpc64le-linux-gnu-gcc", "-mabi=elfv1", ...SECTIONS),
    /^a\.o and b\.o follow different ABIs: their ELF flags are 0x2 and 0x[01]$/,
  ],
  [
    "data sections in one only",
    () => open("a.o", "gcc", ...SECTIONS),
    () => open("b.o", "gcc", "-ffunction-sections"),
    /^only a\.o was compiled with -fdata-sections$/,
  ],
  [
    "a sanitizer in one only",
    () => open("a.o", "gcc", "-g", ...SECTIONS),
    () => open("b.o", "gcc", "-g", "-fsanitize=kernel-address", ...SECTIONS),
    /^only b\.o was compiled with -fsanitize=kernel-address$/,
  ],
  [
    "another level of optimisation",
    () => open("a.o", "gcc", "-g", ...SECTIONS),
    () => open("b.o", "gcc", "-g", "-Os", ...SECTIONS),
    /^only b\.o was compiled with -Os$/,
  ],
];

test.each(CASES)("%s is refused in words", (_what, orig, patched, words) => {
  const [before, after] = [orig(), patched()];
  expect(() => diffObjects(before, after)).toThrow(
    expect.objectContaining({ code: "bad-input", message: expect.stringMatching(words) }),
  );
});

test("debug information in one only says nothing against it", () => {
  const [before, after] = [open("a.o", "gcc", ...SECTIONS), open("b.o", "gcc", "-g", ...SECTIONS)];
  expect(diffObjects(before, after).report.outcome).toBe("unchanged");
});
