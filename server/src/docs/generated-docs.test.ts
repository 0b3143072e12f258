import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { generatedDocs } from "./generated-docs.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));

const docs = await generatedDocs();

test.each([...docs])("%s is current (else: npm run generate -w server)", async (path, content) => {
  expect(await readFile(root + path, "utf8")).toBe(content);
});

test.each(["docs/schema", "docs/rules"])("%s holds nothing that is gone", async (folder) => {
  const committed = (await readdir(root + folder)).map((name) => `${folder}/${name}`);
  expect([...docs.keys()]).toEqual(expect.arrayContaining(committed));
});
