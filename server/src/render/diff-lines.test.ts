import { expect, test } from "vitest";
import { lineOf, linesAfter } from "./diff-lines.js";
import { sampleFinding, samplePatch } from "./sample-review.js";

test("the lines of a mail's diff have their file, number and text; its signature is none of them", () => {
  const lines = linesAfter(samplePatch);
  const patch = samplePatch.split("\n");
  expect(lines).toHaveLength(15);
  expect(lines[8]).toMatchObject({ file: "mm/a.c", line: 12, text: "static int limit = 2;", isAdded: true });
  expect(lines.at(-1)).toMatchObject({ line: 42, text: "int a42;", isAdded: false });
  for (const { at, hunkAt, text } of lines) {
    expect(patch[at]?.slice(1)).toBe(text);
    expect(patch[hunkAt]).toMatch(/^@@/);
  }
});

test("lines that look like headers inside a hunk are code", () => {
  const lines = linesAfter(
    "+++ b/a.c\n@@ -1,2 +1,3 @@\n+++ b/b.c\n--- x\n+@@ -1 +1 @@\n a\n\\ No newline at end of file\n",
  );
  expect(lines.map(({ file, line, text }) => [file, line, text])).toEqual([
    ["a.c", 1, "++ b/b.c"],
    ["a.c", 2, "@@ -1 +1 @@"],
    ["a.c", 3, "a"],
  ]);
});

test("deleted files, empty context lines, one-line hunks, times behind names, and hunks without a file", () => {
  expect(linesAfter("--- a/a.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n")).toEqual([]);
  expect(linesAfter("+++ b/a.c\t2026-11-25\n@@ -1,2 +1,2 @@\n\n-a\n+b\n")).toMatchObject([
    { file: "a.c", line: 1, text: "" },
    { line: 2, text: "b" },
  ]);
  expect(linesAfter("@@ -1 +7 @@\n-a\n+b\n")).toEqual([]);
  expect(linesAfter("@@ -1 +7 @@\n-a\n+b\n", "a.c")).toMatchObject([{ file: "a.c", line: 7 }]);
});

test("a finding is at the line with its number and its code", () => {
  const lines = linesAfter(samplePatch);
  expect(lineOf(sampleFinding, lines)).toMatchObject({ line: 12 });
  expect(lineOf({ ...sampleFinding, file: "mm/b.c" }, lines)).toBeUndefined();
  const { excerpt: _, ...bare } = sampleFinding;
  expect(lineOf({ ...bare, line: 40 }, lines)).toMatchObject({ line: 40 });
  expect(lineOf({ ...bare, line: 30 }, lines)).toBeUndefined();
});

test("where the numbers are others, the only added line with its code is meant, else none", () => {
  const lines = linesAfter(samplePatch);
  expect(lineOf({ ...sampleFinding, line: 300 }, lines)).toMatchObject({ line: 12 });
  expect(lineOf({ ...sampleFinding, line: 13 }, lines)).toMatchObject({ line: 12 });
  expect(lineOf({ ...sampleFinding, line: 300, excerpt: { text: "int a13;" } }, lines)).toBeUndefined();
  const twice = [...lines, ...lines.map((line) => ({ ...line, line: line.line + 100 }))];
  expect(lineOf({ ...sampleFinding, line: 300 }, twice)).toBeUndefined();
});
