import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { loadEngine } from "./engine.js";
import { parseFiles } from "./parse-files.js";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hotpatch-parse-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const work = { signal: new AbortController().signal, progress: () => undefined };

it("reports each error with its place and text, and counts the clean files", async () => {
  const good = join(folder, "good.c");
  const bad = join(folder, "bad.c");
  await writeFile(good, "static int __init f(void)\n{\n\treturn 0;\n}\n");
  await writeFile(bad, "int a;\nint b = 1 +* ] 2;\nint c\n");
  const report = await parseFiles(await loadEngine(), [good, bad], work);
  expect(report).toMatchObject({ schemaVersion: 1, files: 2, clean: 1 });
  expect(report.errors.length).toBeGreaterThan(1);
  expect(report.errors[0]).toMatchObject({ file: bad, line: 2, kind: "error" });
  expect(report.errors.some(({ kind, line }) => kind === "missing" && line === 3)).toBe(true);
});

it("stops when told to", async () => {
  const stopped = { signal: AbortSignal.abort(), progress: () => undefined };
  await expect(parseFiles(await loadEngine(), [join(folder, "good.c")], stopped)).rejects.toThrow(
    "interrupted",
  );
});
