import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { generatedDocs } from "./generated-docs.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));

test.each([...generatedDocs()])("%s is current (else: npm run generate -w server)", async (path, content) => {
  expect(await readFile(root + path, "utf8")).toBe(content);
});

test("docs/schema holds no schema of a report that is gone", async () => {
  const committed = (await readdir(`${root}docs/schema`)).map((name) => `docs/schema/${name}`);
  expect([...generatedDocs().keys()]).toEqual(expect.arrayContaining(committed));
});
