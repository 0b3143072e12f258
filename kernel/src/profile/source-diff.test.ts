import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { run } from "../host/run.js";
import { diffSources } from "./source-diff.js";

const work = { signal: new AbortController().signal, cache: "/nonexistent", progress: () => undefined };
let folder = "";
const a = () => ({ id: "older", source: join(folder, "older") });
const b = () => ({ id: "newer", source: join(folder, "newer") });

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "source-diff-"));
  await plant("older", { "fs/changed.c": "one\ntwo\nthree\n", "fs/gone.c": "old\n", "lib/same.c": "same\n" });
  await plant("newer", {
    "fs/changed.c": "one\n2\nthree\n",
    "fs/new/born.c": "new\n",
    "lib/same.c": "same\n",
  });
  await symlink("same.c", join(folder, "newer/lib/link.c"));
  await writeFile(join(folder, "older/run.sh"), "#!/bin/sh\n");
  await writeFile(join(folder, "newer/run.sh"), "#!/bin/sh\n");
  await chmod(join(folder, "newer/run.sh"), 0o755);
});
afterEach(() => rm(folder, { recursive: true }));

test("the patch turns one source into the other", async () => {
  const patch = await diffSources(work, a(), b(), []);
  expect(patch.match(/^diff --git .*$/gm)).toEqual([
    "diff --git a/fs/changed.c b/fs/changed.c",
    "diff --git a/fs/gone.c b/fs/gone.c",
    "diff --git a/fs/new/born.c b/fs/new/born.c",
    "diff --git a/lib/link.c b/lib/link.c",
    "diff --git a/run.sh b/run.sh",
  ]);
  const applied = await run(work, ["git", "apply", "-"], { cwd: a().source, input: patch });
  expect(applied.status, applied.stderr).toBe(0);
  const rest = await run(work, ["diff", "--recursive", "--no-dereference", a().source, b().source]);
  expect(rest.stdout).toBe("");
});

test("patch -p1 takes it as well, and the same sources give the same bytes", async () => {
  const patch = await diffSources(work, a(), b(), ["fs"]);
  expect(await diffSources(work, a(), b(), ["./fs/", "fs/gone.c"])).toBe(patch);
  const applied = await run(work, ["patch", "-p1"], { cwd: a().source, input: patch });
  expect(applied.status, applied.stdout).toBe(0);
  expect(await readFile(join(a().source, "fs/changed.c"), "utf8")).toBe("one\n2\nthree\n");
});

test("confined to a path, a difference elsewhere does not show", async () => {
  expect(await diffSources(work, a(), b(), ["lib/same.c"])).toBe("");
  const born = await diffSources(work, a(), b(), ["fs/new"]);
  expect(born).toContain("--- /dev/null\n+++ b/fs/new/born.c\n");
  expect(born).not.toContain("gone.c");
});

test("a second comparison of the whole reads no file that did not differ", async () => {
  const patch = await diffSources(work, a(), b(), []);
  await rm(join(a().source, "lib"), { recursive: true });
  expect(await diffSources(work, a(), b(), [])).toBe(patch);
});

test.each(["../older", "/etc", "fs/../../x"])("the path '%s' is refused", async (path) => {
  await expect(diffSources(work, a(), b(), [path])).rejects.toThrow(/not a path inside/);
});

test("a path that neither has is refused", async () => {
  await expect(diffSources(work, a(), b(), ["fs/none.c"])).rejects.toThrow(
    "neither older nor newer has fs/none.c in its source",
  );
});

async function plant(name: string, files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name, path)), { recursive: true });
    await writeFile(join(folder, name, path), text);
  }
}
