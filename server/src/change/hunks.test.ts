import { describe, expect, it } from "vitest";
import { hunksBetween, lineAfter, touches } from "./hunks.js";

const lines = (text: string) => text.split("");

describe("hunks", () => {
  it.each([
    ["abc", "abc", []],
    ["abc", "aXc", [[2, 1, 2, 1]]],
    ["abc", "abXc", [[2, 0, 3, 1]]],
    ["abc", "ac", [[2, 1, 1, 0]]],
    ["", "a", [[0, 0, 1, 1]]],
    [
      "abcdefg",
      "XbcdeYg",
      [
        [1, 1, 1, 1],
        [6, 1, 6, 1],
      ],
    ],
  ] as const)("%s to %s", (before, after, expected) => {
    const found = hunksBetween(lines(before), lines(after));
    expect(
      found.map((hunk) => [hunk.before.start, hunk.before.count, hunk.after.start, hunk.after.count]),
    ).toEqual(expected);
  });

  it("a hunk covers its lines and nothing else", () => {
    const hunks = hunksBetween(lines("abcdefg"), lines("XbcdeYg"));
    expect([1, 2, 5, 6, 7].map((line) => touches(hunks, line, line))).toEqual([
      true,
      false,
      false,
      true,
      false,
    ]);
  });

  it("a removed line touches what it stood in", () => {
    const hunks = hunksBetween(lines("abcd"), lines("abd"));
    expect(touches(hunks, 1, 3)).toBe(true);
    expect(touches(hunks, 4, 4)).toBe(false);
  });

  it("old lines are found in the new text", () => {
    const hunks = hunksBetween(lines("abcdef"), lines("aXXbcf"));
    expect([1, 2, 3, 4, 6].map((line) => lineAfter(hunks, line))).toEqual([1, 4, 5, 5, 6]);
  });

  it("texts that differ everywhere are one hunk, in bounded time", () => {
    const many = (mark: string) => Array.from({ length: 20_000 }, (_, at) => `${mark}${at}`);
    const start = performance.now();
    expect(hunksBetween(many("a"), many("b")).length).toBe(1);
    expect(performance.now() - start).toBeLessThan(20_000);
  });
});
