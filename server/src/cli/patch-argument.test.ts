import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BUILD_LIMITS } from "@kernel-hotpatch/kernel/build/patch-limits";
import { afterAll, beforeAll, expect, test } from "vitest";
import { repositoryChange } from "../repository/repository-change.js";
import { readPatches } from "./patch-argument.js";

const work = { signal: new AbortController().signal, cache: "/nonexistent", progress: () => undefined };
const start = process.cwd();
let folder: string;

const git = (...args: string[]) =>
  execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b", ...args], { stdio: "pipe" });

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "patch-argument-"));
  process.chdir(folder);
  git("init", "--quiet", "--initial-branch=main");
  mkdirSync("mm");
  writeFileSync("mm/a.c", "one\ntwo\nthree\n");
  git("add", ".");
  git("commit", "--quiet", "-m", "first");
  writeFileSync("mm/a.c", "one\n2\nthree\n");
  git("commit", "--quiet", "-am", "second");
  // What people set, and what would change the form of a diff or run a program.
  git("config", "diff.noprefix", "true");
  git("config", "color.ui", "always");
  git("config", "diff.external", "false");
  git("config", "core.fsmonitor", `touch ${folder}/ran; true`);
});

afterAll(() => {
  process.chdir(start);
  rmSync(folder, { recursive: true });
});

const diff = /^diff --git a\/mm\/a\.c b\/mm\/a\.c\nindex .*\n--- a\/mm\/a\.c\n\+\+\+ b\/mm\/a\.c\n@@ /;

test("a range is the difference between its ends, whatever git's configuration says", async () => {
  for (const range of ["HEAD~..HEAD", "main~1..", "HEAD^...main"]) {
    const [patch] = await readPatches(work, [range]);
    expect(patch?.name).toBe(range);
    expect(patch?.text.toString()).toMatch(diff);
    expect(patch?.text.toString()).toContain("\n-two\n+2\n");
  }
  expect(existsSync("ran")).toBe(false);
});

test("nothing named is what changed since HEAD, staged or not, from any folder of the tree", async () => {
  await expect(readPatches(work, [])).rejects.toThrow("nothing has changed since HEAD");
  writeFileSync("mm/a.c", "1\n2\nthree\n");
  process.chdir("mm");
  try {
    const [patch] = await readPatches(work, []);
    expect(patch?.text.toString()).toMatch(diff);
  } finally {
    process.chdir(folder);
  }
});

test("no program runs that the repository's configuration names", async () => {
  const ran = join(folder, "filter-ran");
  for (const [name, value] of [
    ["filter.a=b.clean", `touch ${ran}; cat`],
    ["filter.a=b.required", "true"],
    ["filter.c.process", `touch ${ran}`],
  ] as const)
    git("config", name, value);
  writeFileSync(".gitattributes", "a.c filter=a=b\n*.h filter=c\n");
  writeFileSync("mm/a.c", "1\ntwo\n3\n");
  const [patch] = await readPatches(work, []);
  expect(patch?.text.toString()).toMatch(diff);
  const { changes } = await repositoryChange(work, folder, undefined, BUILD_LIMITS);
  expect(changes.map(({ path }) => path)).toEqual(["mm/a.c"]);
  expect(existsSync(ran)).toBe(false);
  rmSync(".gitattributes");
});

test("what a partial clone lacks is not fetched", async () => {
  const clone = join(folder, "partial");
  const ran = join(folder, "fetch-ran");
  git("config", "uploadpack.allowFilter", "true");
  git("clone", "--quiet", "--filter=blob:none", "--no-checkout", `file://${folder}`, clone);
  execFileSync("git", ["-C", clone, "config", "remote.origin.uploadpack", `touch ${ran}; git-upload-pack`]);
  const range = { from: "HEAD~", dots: "..", to: "HEAD" };
  await expect(repositoryChange(work, clone, range, BUILD_LIMITS)).rejects.toThrow();
  expect(existsSync(ran)).toBe(false);
  rmSync(clone, { recursive: true });
});

test("a file is read as it is and remembers its path", async () => {
  const bytes = Buffer.from([0x2d, 0xff, 0x00, 0x0a]);
  writeFileSync("fix.patch", bytes);
  expect(await readPatches(work, ["fix.patch"])).toEqual([
    { name: "fix.patch", text: bytes, file: "fix.patch" },
  ]);
});

test("a file goes before a range of the same name", async () => {
  writeFileSync("main~..main", "file");
  const [patch] = await readPatches(work, ["main~..main"]);
  expect(patch?.text.toString()).toBe("file");
  rmSync("main~..main");
});

test.each([
  ["../missing.patch", "no such file"],
  ["a/../missing.patch", "no such file"],
  ["missing", "no such file"],
  ["--output=/tmp/x..HEAD", "no such file"],
  ["nobody..HEAD", "git knows no commit 'nobody'"],
  ["HEAD..--output=x", "git knows no commit '--output=x'"],
  ["HEAD..HEAD", "nothing differs"],
  ["mm", "is a folder"],
])("%s: %s", async (argument, message) => {
  await expect(readPatches(work, [argument])).rejects.toThrow(
    expect.objectContaining({ code: "bad-input", message: expect.stringContaining(message) }),
  );
});

test("an empty or huge file is refused", async () => {
  writeFileSync("empty.patch", "");
  await expect(readPatches(work, ["empty.patch"])).rejects.toThrow("empty.patch is empty");
  await expect(readPatches(work, ["/dev/zero"])).rejects.toThrow("larger than 8 MiB");
});

test("standard input only once", async () => {
  await expect(readPatches(work, ["-", "-"])).rejects.toThrow("only once");
});

test("outside a repository", async () => {
  process.chdir("/");
  try {
    await expect(readPatches(work, [])).rejects.toThrow("not in a git repository");
    await expect(readPatches(work, ["A..B"])).rejects.toThrow("no file A..B");
  } finally {
    process.chdir(folder);
  }
});

test("a pipe that nobody writes to can be given up", async () => {
  execFileSync("mkfifo", ["fifo"]);
  const stop = new AbortController();
  const reading = readPatches({ ...work, signal: stop.signal }, ["fifo"]);
  setTimeout(() => stop.abort(), 200);
  await expect(reading).rejects.toMatchObject({ code: "interrupted" });
});
