import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testsFor } from "./test-files.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "test-files-"));
  for (const name of ["fix.patch", "fix.test.sh", "other.diff", "other.test.sh", "all.test.sh", "test.sh"])
    await writeFile(join(folder, name), "true\n");
});
afterAll(() => rm(folder, { recursive: true }));

async function found(named: string[], patches: string[]): Promise<{ names: string[]; notes: number }> {
  const notes: string[] = [];
  const paths = (list: string[]) => list.map((name) => join(folder, name));
  const tests = await testsFor({ note: (line) => notes.push(line) }, paths(named), paths(patches));
  return { names: tests.map(({ name }) => name), notes: notes.length };
}

test("what lies beside the patch is used and told, other patches' tests are left alone", async () => {
  expect(await found([], ["fix.patch"])).toEqual({ names: ["all", "fix", "test"], notes: 3 });
  expect(await found([], ["fix.patch", "other.diff"])).toEqual({
    names: ["all", "fix", "other", "test"],
    notes: 4,
  });
});

test("tests that were named are the only ones, in their order", async () => {
  expect(await found(["other.test.sh", "fix.test.sh"], ["fix.patch"])).toEqual({
    names: ["other", "fix"],
    notes: 0,
  });
});

test("no patch file, no test", async () => {
  expect(await found([], [])).toEqual({ names: [], notes: 0 });
});
