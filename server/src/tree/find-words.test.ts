import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { findWords, OCCURRENCE_LIMIT } from "./find-words.js";
import { openTree } from "./open-tree.js";
import { smallTree } from "./small-tree.js";

let root = "";
afterEach(() => rm(root, { recursive: true }));
const work = () => ({ signal: new AbortController().signal, cache: join(root, "cache") });

it("finds whole words of C files, in order, and counts all where it keeps the first", async () => {
  const many = "word\n".repeat(OCCURRENCE_LIMIT);
  root = await smallTree({
    "mm/b.c": "x word sword word; word_t wörd\n",
    "mm/a.h": "int\n\tword;\n",
    "mm/c.txt": "word\n",
    "mm/z.c": many,
    "mm/gone.mod.c": "word\n",
    ".gitignore": "mm/\n",
  });
  const found = await findWords(work(), await openTree(root), [
    "word",
    "word",
    "nowhere",
    "-e",
    ".*",
    "w.rd",
    "",
  ]);
  expect(found.get("word")?.count).toBe(3 + OCCURRENCE_LIMIT);
  expect(found.get("word")?.places.slice(0, 4)).toEqual([
    ["mm/a.h", 2, 2],
    ["mm/b.c", 1, 3],
    ["mm/b.c", 1, 14],
    ["mm/z.c", 1, 1],
  ]);
  expect(found.get("word")?.places).toHaveLength(OCCURRENCE_LIMIT);
  for (const nothing of ["nowhere", "-e", ".*", "w.rd", ""])
    expect(found.get(nothing)).toEqual({ count: 0, places: [] });
});

it("refuses more names than any patch changes", async () => {
  root = await smallTree({});
  const names = Array.from({ length: 20_001 }, (_, number) => `name_${number}`);
  await expect(findWords(work(), await openTree(root), names)).rejects.toMatchObject({ code: "bad-input" });
});
