import { expect, test } from "vitest";
import { applyHunks } from "./hunks.js";
import type { PatchHunk } from "./scan-patch.js";

const FILE = `int limit = 1;

static int grow(struct table *t)
{
	int size = t->size;

	if (size > limit)
		return -E2BIG;
	t->size = size + 1;
	return 0;
}
`;

function hunk(start: number, ...lines: string[]): PatchHunk {
  return { start, lines };
}

function mismatchOf(...lines: string[]) {
  const { text, mismatches } = applyHunks(FILE, [hunk(5, ...lines)]);
  expect(text).toBe(FILE);
  expect(mismatches).toHaveLength(1);
  return mismatches[0];
}

test("a hunk that fits is applied at the nearest place, also when one before it failed", () => {
  const { text, mismatches } = applyHunks(FILE, [
    hunk(1, "-int limit = 7;", "+int limit = 8;", " ", " static int grow(struct table *t)"),
    hunk(60, " \tif (size > limit)", "-\t\treturn -E2BIG;", "+\t\treturn -ENOSPC;", " \tt->size = size + 1;"),
  ]);
  expect(text).toBe(FILE.replace("E2BIG", "ENOSPC"));
  expect(mismatches.map(({ hunk: number, line, column }) => [number, line, column])).toEqual([[1, 1, 13]]);
});

test("another line: its place, and what was expected and found", () => {
  expect(
    mismatchOf(
      " ",
      " \tif (size >= limit)",
      "-\t\treturn -E2BIG;",
      "+\t\treturn 0;",
      " \tt->size = size + 1;",
    ),
  ).toEqual({
    hunk: 1,
    line: 7,
    column: 12,
    reason: "expects another line here",
    isThere: false,
    detail: "expected: \tif (size >= limit)\nfound:    \tif (size > limit)",
  });
});

test("white space only", () => {
  const lines = [" ", "     if (size > limit)", "-        return -E2BIG;", "+        return 0;"];
  expect(mismatchOf(...lines, "     t->size = size + 1;")).toMatchObject({
    line: 7,
    reason: "expects other white space here",
  });
});

test("a line that the file has and the patch does not, and the reverse", () => {
  const missing = mismatchOf(
    " \tint size = t->size;",
    " ",
    " \tif (size > limit)",
    "-\tt->size = size + 1;",
    "+\tx;",
    " \treturn 0;",
  );
  expect(missing).toMatchObject({ line: 8, reason: "does not know a line that is here" });
  const extra = mismatchOf(
    " \tint size = t->size;",
    " \tint more;",
    " ",
    "-\tif (size > limit)",
    "+\tx;",
    " \t\treturn -E2BIG;",
  );
  expect(extra).toMatchObject({
    line: 6,
    reason: "expects a line here that is not there",
    detail: "expected: \tint more;",
  });
});

test("what is there already", () => {
  const lines = [" \tif (size > limit)", "-\t\treturn 0;", "+\t\treturn -E2BIG;", " \tt->size = size + 1;"];
  expect(mismatchOf(...lines)).toMatchObject({ line: 7, isThere: true });
});

test("a hunk without context behind it belongs at the end", () => {
  const lines = [" \tif (size > limit)", "-\t\treturn -E2BIG;"];
  expect(mismatchOf(...lines)).toMatchObject({
    line: 7,
    reason: expect.stringContaining("the end of the file"),
  });
});

test("nothing alike has no place", () => {
  const found = mismatchOf(" what", "-is", "+was", " this");
  expect(found).toEqual({ hunk: 1, reason: "is like nothing in the file", isThere: false });
});

test("hostile input ends in seconds", { timeout: 60_000 }, () => {
  const same = `${"\tint a;\n".repeat(200_000)}`;
  const hunks = Array.from({ length: 2000 }, (_, index) =>
    hunk(
      index * 90 + 1,
      ...Array.from({ length: 60 }, () => " \tint a;"),
      "-\tint b;",
      "+\tint c;",
      " \tint a;",
    ),
  );
  const many = Array.from({ length: 50_000 }, (_, index) => `\tint v${index % 1000};\n`).join("");
  const start = performance.now();
  expect(applyHunks(same, hunks).mismatches).toHaveLength(2000);
  const wide = hunk(
    1,
    ...Array.from({ length: 50_000 }, (_, index) => ` \tint v${(index * 7) % 1000};`),
    "-\tint x;",
  );
  expect(applyHunks(many, [wide, wide, wide]).mismatches).toHaveLength(3);
  expect(performance.now() - start).toBeLessThan(15_000);
});
