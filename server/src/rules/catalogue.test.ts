import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { catalogue, ruleOf } from "./catalogue.js";

const room = fileURLToPath(new URL("../../../", import.meta.url));

test("ids are unique and well formed", () => {
  const ids = catalogue.map((rule) => rule.id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(id).toMatch(/^[a-z]+(-[a-z]+)*$/);
});

test("why and remedy are sentences, a summary is a clause", () => {
  for (const rule of catalogue) {
    expect(rule.why, rule.id).toMatch(/^[A-Z].*\.$/s);
    expect(rule.remedy, rule.id).toMatch(/^[A-Z].*\.$/s);
    expect(rule.summary, rule.id).not.toMatch(/^[A-Z][a-z]|\.$/);
  }
});

test("every rule that the rooms name exists", async () => {
  const named = new Map<string, string>();
  for (const folder of ["kernel/src", "server/src"]) {
    for (const file of await readdir(join(room, folder), { recursive: true })) {
      if (!file.endsWith(".ts") || file.endsWith(".test.ts")) continue;
      const text = await readFile(join(room, folder, file), "utf8");
      for (const [, value] of text.matchAll(/\brule: (.*)/g))
        for (const [, id] of (value ?? "").matchAll(/"([a-z]+(?:-[a-z]+)+)"/g)) if (id) named.set(id, file);
    }
  }
  expect(named.size).toBeGreaterThan(10);
  expect([...named].filter(([id]) => !ruleOf(id))).toEqual([]);
});
