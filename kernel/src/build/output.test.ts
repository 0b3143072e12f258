import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { judgeOutput, publish } from "./output.js";

let top: string;

beforeEach(async () => {
  top = await realpath(await mkdtemp(join(tmpdir(), "output-")));
  await mkdir(join(top, "tree/fs"), { recursive: true });
});

afterEach(() => rm(top, { recursive: true }));

test("a folder that does not exist yet is fine, and not made", async () => {
  expect(await judgeOutput(join(top, "new/deep"), [join(top, "tree")])).toBe(join(top, "new/deep"));
  expect(existsSync(join(top, "new"))).toBe(false);
});

test("a folder inside the kernel's tree is refused, also behind a link", async () => {
  await symlink(join(top, "tree/fs"), join(top, "link"));
  for (const folder of ["tree", "tree/fs/out", "link/out"])
    await expect(judgeOutput(join(top, folder), [join(top, "tree")])).rejects.toThrow(
      /inside the kernel's own/,
    );
});

test("a file in the way, and a place where nobody can write", async () => {
  await writeFile(join(top, "file"), "");
  for (const path of [join(top, "file"), join(top, "file/out"), "/proc/nowhere/out"])
    await expect(judgeOutput(path, []).then((folder) => publish(folder, [], async () => []))).rejects.toThrow(
      /^cannot write to /,
    );
});

test("what an earlier build left is replaced, and what is not ours stays", async () => {
  await publish(join(top, "out"), ["a", "b"], async (aside) => {
    await writeFile(join(aside, "a"), "old a");
    await writeFile(join(aside, "b"), "old b");
    return ["a", "b"];
  });
  await writeFile(join(top, "out/mine"), "mine");
  await publish(join(top, "out"), ["a", "b"], async (aside) => {
    await writeFile(join(aside, "a"), "new a");
    return ["a"];
  });
  expect((await readdir(join(top, "out"))).sort()).toEqual(["a", "mine"]);
  expect(await readFile(join(top, "out/a"), "utf8")).toBe("new a");
});

test("results that cannot be made leave the earlier ones untouched", async () => {
  await publish(join(top, "out"), ["a"], async (aside) => {
    await writeFile(join(aside, "a"), "old");
    return ["a"];
  });
  const failing = publish(join(top, "out"), ["a"], async () => {
    throw new Error("no");
  });
  await expect(failing).rejects.toThrow("no");
  expect(await readdir(join(top, "out"))).toEqual(["a"]);
});
