import { expect, test } from "vitest";
import type { Finding } from "../review/finding.js";
import { findingOf } from "../review/finding-of.js";
import { codeFrame } from "./code-frame.js";

function frame(
  text: string,
  column: number | null,
  endColumn: number | null = column,
  endLine = 7,
): string[] {
  const finding: Finding = findingOf({ rule: "not-read", message: "m", file: "a.c", line: 7 }, "source");
  return codeFrame({ ...finding, column, endColumn, endLine, excerpt: { text } });
}

test("the marker is under the stretch", () => {
  expect(frame("int a = 1;", 5, 6)).toEqual(["   7 | int a = 1;", "     |     ^"]);
  expect(frame("int abc;", 5, 8)).toEqual(["   7 | int abc;", "     |     ^~~"]);
});

test("a stretch of several lines is marked to the line's end, an unknown column not at all", () => {
  expect(frame("f(a,", 1, 3, 9)[1]).toBe("     | ^~~~");
  expect(frame("f(a,", null)).toEqual(["   7 | f(a,"]);
});

test("a column behind the line, and one inside a character of two units", () => {
  expect(frame("ab", 9, 9)[1]).toBe("     |   ^");
  expect(frame("\u{1f600}x", 3, 4)[1]).toBe("     |   ^");
});

test("wide, combining and control characters keep the marker in place", () => {
  expect(frame("/* 日本 */ x", 10, 11)).toEqual(["   7 | /* 日本 */ x", "     |            ^"]);
  expect(frame("e\u0301x", 3, 4)[1]).toBe("     |  ^");
  expect(frame("\x1b[2Jx", 5, 6)).toEqual(["   7 | \\u001b[2Jx", "     |          ^"]);
});

test("a long line is cut around the marker", () => {
  const [code = "", marker = ""] = frame(`${"a".repeat(500)}bcd${"e".repeat(500)}`, 501, 504);
  expect(code.length).toBeLessThan(120);
  expect(code).toMatch(/^ {3}7 \| …a+bcde+…$/);
  expect(code.slice(marker.indexOf("^"), marker.indexOf("^") + 3)).toBe("bcd");
  expect(marker).toMatch(/^ +\| +\^~~$/);
});

test("nothing where the code is not known", () => {
  expect(codeFrame(findingOf({ rule: "not-read", message: "m" }, "source"))).toEqual([]);
});
