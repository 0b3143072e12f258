import { expect, test } from "vitest";
import { changedRegions } from "./changed-regions.js";
import { hunksBetween } from "./hunks.js";
import { LineIndex } from "./line-index.js";

const F = "int f(void)\n{\n\treturn 1;\n}\n";
const G = "int g(void)\n{\n\treturn 2;\n}\n";
const H = "int h(void)\n{\n\treturn 3;\n}\n";
const FILLER = Array.from({ length: 9 }, (_, at) => `int x${at}(void)\n{\n\treturn 0;\n}\n`).join("");

/** The texts of the regions before and after, or nothing where all has to be read. */
function regions(before: string, after: string): [string, string][] | undefined {
  const [old, now] = [new LineIndex(before), new LineIndex(after)];
  return changedRegions(old, now, hunksBetween(old.lines, now.lines))?.map((region) => [
    before.slice(region.before.startIndex, region.before.endIndex),
    after.slice(region.after.startIndex, region.after.endIndex),
  ]);
}

const changed = (text: string) => text.replace("return", "return 7 +");

test("a changed function is read by itself", () => {
  expect(regions(FILLER + F + G + H, FILLER + F + changed(G) + H)).toEqual([[G, changed(G)]]);
});

test("two that lie apart are two regions, neighbours two or one", () => {
  expect(regions(F + FILLER + G, changed(F) + FILLER + changed(G))).toEqual([
    [F, changed(F)],
    [G, changed(G)],
  ]);
  const long = F.replace("\t", "\tint a;\n\tint b;\n\tint c;\n\t");
  const twice = long.replace("int a", "int aa").replace("return", "return 7 +");
  expect(regions(long + FILLER, twice + FILLER)).toEqual([[long, twice]]);
});

test("what is added or taken away keeps both sides in step", () => {
  const [more, less] = [FILLER + F + G + H, FILLER + F + H];
  for (const [before, after] of [
    [more, less],
    [less, more],
    [FILLER + F, FILLER + F + G],
    [FILLER, F + FILLER],
    [FILLER, `${FILLER}int last;`],
  ] as const) {
    const found = regions(before, after);
    expect(found).toHaveLength(1);
    const [old = "", now = ""] = found?.[0] ?? [];
    // Outside of the region both are equal.
    const at = before.indexOf(old, before === after ? 0 : commonStart(before, after) - old.length);
    expect(before.slice(0, at) + now + before.slice(at + old.length)).toBe(after);
  }
});

function commonStart(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return at;
}

const guarded = `#ifdef A\n${F}#else\n${G}#endif\n`;

test("a function under an #if is read by itself", () => {
  expect(regions(FILLER + guarded, FILLER + changed(guarded))).toEqual([[F, changed(F)]]);
  const other = guarded.replace("return 2", "return 3");
  expect(regions(FILLER + guarded, FILLER + other)).toEqual([[G, G.replace("2", "3")]]);
  const deep = `#endif\n\n#if A && \\\n    B\nint a;\n#endif\n\n#ifdef A\n/* It does. */\n${H}`;
  expect(regions(FILLER + deep, FILLER + changed(deep))).toEqual([
    [`/* It does. */\n${H}`, `/* It does. */\n${changed(H)}`],
  ]);
  const inside = F.replace("\treturn", "#ifdef A\n\treturn 0;\n#endif\n\treturn");
  expect(regions(FILLER + inside, FILLER + inside.replace("return 1", "return 2"))).toHaveLength(1);
});

test("the whole is read where an #if differs, reaches beyond, or divides a head", () => {
  for (const [text, from, to] of [
    [guarded, "ifdef A", "ifdef B"],
    [`#if A && \\\n    B\nint a;\n#endif\n${F}`, "    B", "    C"],
    [F.replace("\treturn", "#ifdef A\n\tint a;\n}\n#endif\n\treturn"), "int a", "int b"],
    [`int\n#ifdef A\n${F.replace("int ", "")}`, "return 1", "return 2"],
  ] as const)
    expect(regions(FILLER + text, FILLER + text.replace(from, to))).toBeUndefined();
});

test("the whole is read where most of it differs", () => {
  expect(regions(F + G, changed(F) + changed(G))).toBeUndefined();
});
