import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { withTree } from "./engine.js";
import { engines, nativeEngine } from "./engines-under-test.js";

const FOLDER = fileURLToPath(new URL("../../../grammars/test/corpus/", import.meta.url));
const CASE = /^={20,}\n(.+)\n={20,}\n\n([\s\S]*?)\n-{20,}\n\n([\s\S]*?)(?=\n={20,}\n|$(?![\s\S]))/gm;

const files = readdirSync(FOLDER).map((name) => ({ name, text: readFileSync(`${FOLDER}${name}`, "utf8") }));
const cases = files.flatMap(({ name, text }) =>
  [...text.matchAll(CASE)].map(([, title = "", source = "", tree = ""]) => ({
    title: `${name}: ${title}`,
    source,
    tree,
  })),
);

it("every file of the corpus has cases", () => {
  expect(files.length).toBeGreaterThan(4);
  expect(cases.length).toBeGreaterThan(60);
});

describe.each(engines)("corpus, %s", (_, engine) => {
  it.each(cases)("$title", ({ source, tree }) => {
    const found = withTree(engine, `${source}\n`, ({ root }) => root.toString());
    expect(found).toBe(tree.replace(/\s+/g, " ").replaceAll(" )", ")").trim());
  });
});

it.skipIf(nativeEngine === undefined)("the native engine loads here, too", () => {
  expect(nativeEngine?.kind).toBe("native");
});
