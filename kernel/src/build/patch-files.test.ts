import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Fault } from "../host/fault.js";
import { applyPatches, applyWhatFits } from "./patch-files.js";
import { CHECK_LIMITS } from "./patch-limits.js";

const work = { signal: new AbortController().signal };
const CONTENT = Array.from({ length: 20 }, (_, index) => `line ${index + 1}\n`).join("");
const CHANGE = "@@ -1,3 +1,3 @@\n line 1\n-line 2\n+LINE 2\n line 3\n";
let top: string;
let source: string;
let copies: string;

beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), "patch-files-"));
  source = join(top, "tree");
  copies = join(top, "copies");
  await mkdir(copies);
  await put("fs/a.c", CONTENT);
  await put("fs/b.c", CONTENT);
});

afterEach(() => rm(top, { recursive: true }));

async function put(path: string, content: string): Promise<void> {
  await mkdir(dirname(join(source, path)), { recursive: true });
  await writeFile(join(source, path), content);
}

function patch(path: string, hunks = CHANGE): string {
  return `--- a/${path}\n+++ b/${path}\n${hunks}`;
}

async function apply(...texts: string[]) {
  const patches = texts.map((text, index) => ({ name: `${index + 1}.patch`, text: Buffer.from(text) }));
  const changes = await applyPatches(work, source, patches, copies);
  return changes.map(({ path, before, after }) => [path, before?.toString(), after?.toString()]);
}

/** What the person is told, message and remedy. */
async function complaint(...texts: string[]): Promise<string> {
  try {
    await apply(...texts);
  } catch (error) {
    if (error instanceof Fault && error.code === "bad-input") return `${error.message} | ${error.remedy}`;
    throw error;
  }
  return "accepted";
}

test("a series is applied in order, and the tree stays as it is", async () => {
  const second = patch("fs/a.c", "@@ -1,3 +1,3 @@\n line 1\n-LINE 2\n+Line 2\n line 3\n");
  expect(await apply(patch("fs/a.c"), second, patch("fs/b.c"))).toEqual([
    ["fs/a.c", CONTENT, CONTENT.replace("line 2\n", "Line 2\n")],
    ["fs/b.c", CONTENT, CONTENT.replace("line 2\n", "LINE 2\n")],
  ]);
  expect(await readFile(join(source, "fs/a.c"), "utf8")).toBe(CONTENT);
});

test("a hunk applies a few lines away, as git does it", async () => {
  await put("fs/a.c", `// new\n// lines\n${CONTENT}`);
  const inside = patch("fs/a.c", "@@ -9,3 +9,3 @@\n line 9\n-line 10\n+LINE 10\n line 11\n");
  expect((await apply(inside))[0]?.[2]).toContain("LINE 10");
});

test("new and deleted files", async () => {
  const added = "--- /dev/null\n+++ b/fs/new.h\n@@ -0,0 +1 @@\n+int x;\n";
  await put("fs/gone.h", "int x;\n");
  const gone = "--- a/fs/gone.h\n+++ /dev/null\n@@ -1 +0,0 @@\n-int x;\n";
  expect(await apply(added, gone)).toEqual([
    ["fs/gone.h", "int x;\n", undefined],
    ["fs/new.h", undefined, "int x;\n"],
  ]);
});

test("a missing newline at the end of the file is kept missing", async () => {
  await put("fs/a.c", "one\ntwo");
  const text = patch("fs/a.c", "@@ -1,2 +1,2 @@\n-one\n+ONE\n two\n\\ No newline at end of file\n");
  expect(await apply(text)).toEqual([["fs/a.c", "one\ntwo", "ONE\ntwo"]]);
});

test("a patch that does not apply names the place of the first hunk that fails", async () => {
  const wrong = patch("fs/a.c", "@@ -7,3 +7,3 @@\n line 7\n-something else\n+x\n line 9\n");
  expect(await complaint(wrong)).toMatch(
    /^1\.patch does not apply: fs\/a\.c:8:1: hunk 1 of 1 expects another line here \| make it against/,
  );
});

test("a patch that is in the source already is told from one that does not fit", async () => {
  await put("fs/a.c", CONTENT.replace("line 2\n", "LINE 2\n"));
  expect(await complaint(patch("fs/a.c"))).toMatch(
    /fs\/a\.c:1: hunk 1 of 1 changes what has been changed already \| this source has the change already/,
  );
});

test("the second patch of a series is named when it fails", async () => {
  expect(await complaint(patch("fs/a.c"), patch("fs/a.c"))).toMatch(/^2\.patch does not apply/);
});

test("an unknown file, and one whose path lacks the prefix", async () => {
  expect(await complaint(patch("fs/none.c"))).toMatch(/fs\/none\.c: this tree has no such file \| $/);
  const bare = `--- fs/a.c\n+++ fs/a.c\n${CHANGE}`;
  expect(await complaint(bare)).toMatch(
    / a\.c: this tree has no such file \| paths need the leading a\/ and b\//,
  );
});

test("patches that cancel each other change nothing", async () => {
  const back = patch("fs/a.c", "@@ -1,3 +1,3 @@\n line 1\n-LINE 2\n+line 2\n line 3\n");
  expect(await complaint(patch("fs/a.c"), back)).toMatch(/the patches change nothing/);
});

test("a symbolic link in the tree is never followed", async () => {
  await symlink("/etc", join(source, "outside"));
  await symlink("a.c", join(source, "fs/link.c"));
  expect(await complaint(patch("outside/passwd"))).toMatch(/^outside is a symbolic link/);
  expect(await complaint(patch("fs/link.c"))).toMatch(/^fs\/link\.c is a symbolic link/);
});

test("a file in the place of a folder, and a folder in the place of a file", async () => {
  expect(await complaint(patch("fs/a.c/b.c"))).toMatch(/fs\/a\.c is no folder/);
  expect(await complaint(patch("fs"))).toMatch(/fs is no plain file/);
});

test("the repository and the configuration around us have no say", async () => {
  await mkdir(join(top, ".git"));
  await writeFile(join(top, ".git/HEAD"), "ref: refs/heads/main\n");
  expect((await apply(patch("fs/a.c")))[0]?.[2]).toContain("LINE 2");
});

test("limits on size and number of files", async () => {
  expect(await complaint(`${patch("fs/a.c")}${" ".repeat(9 * 1024 * 1024)}`)).toMatch(/the limit is/);
  const many = Array.from({ length: 500 }, (_, index) => patch(`fs/${index}.c`)).join("");
  expect(await complaint(many)).toMatch(/touch 500 files; the limit is 400/);
});

test("hunks for one file beyond what git applies in seconds", async () => {
  const hunks = Array.from({ length: 2001 }, () => "@@ -1 +1 @@\n-a\n+b\n").join("");
  expect(await complaint(patch("fs/a.c", hunks))).toMatch(/^1\.patch has more than 2000 hunks for fs\/a\.c/);
});

/** Where and why each part of the patches does not fit, and the files that changed all the same. */
async function fitting(...texts: string[]) {
  const patches = texts.map((text, index) => ({ name: `${index + 1}.patch`, text: Buffer.from(text) }));
  const { changes, misfits } = await applyWhatFits(work, source, patches, copies, CHECK_LIMITS);
  const places = misfits.map(({ patch: name, file, line, reason, remedy }) =>
    [name, file, line, reason, remedy].join(" | "),
  );
  return { changed: changes.map(({ path, after }) => [path, after?.toString()]), misfits: places };
}

test("all that does not fit is told at once, the other files are changed, later patches see what fitted", async () => {
  await put("mm/none.c", "");
  const bad = "@@ -7,3 +7,3 @@\n line 7\n-line x\n+LINE x\n line 9\n";
  const worse = "@@ -15,2 +15,2 @@\n-never\n+ever\n seen\n";
  const next = patch("fs/a.c", "@@ -1,3 +1,3 @@\n line 1\n-LINE 2\n+Line 2\n line 3\n");
  const all = await fitting(
    patch("fs/a.c", CHANGE + bad + worse) + patch("fs/b.c") + patch("fs/none.c"),
    next,
  );
  expect(all.changed).toEqual([["fs/b.c", CONTENT.replace("line 2\n", "LINE 2\n")]]);
  const against = "make it against this kernel's source";
  expect(all.misfits).toEqual([
    `1.patch | fs/a.c | 8 | hunk 2 of 3 expects another line here | ${against}`,
    `1.patch | fs/a.c |  | hunk 3 of 3 is like nothing in the file | ${against}`,
    "1.patch | fs/none.c |  | this tree has no such file | files of that name: mm/none.c",
  ]);
});

test("a file that the patch makes and that is there already, with the same content or another", async () => {
  const made = "--- /dev/null\n+++ b/fs/new.h\n@@ -0,0 +1 @@\n+int x;\n";
  await put("fs/new.h", "int x;\n");
  expect((await fitting(made)).misfits[0]).toMatch(
    /makes this file, and it is there already \| this source has/,
  );
  await put("fs/new.h", "int y;\n");
  copies = join(top, "copies again");
  await mkdir(copies);
  expect((await fitting(made)).misfits[0]).toMatch(/another is there \| make it against/);
});

test("a renamed file is one that is gone and one that is new", async () => {
  const renamed = `diff --git a/fs/a.c b/fs/c.c\nsimilarity index 90%\nrename from fs/a.c\nrename to fs/c.c\n${patch("fs/a.c").replace("+++ b/fs/a.c", "+++ b/fs/c.c")}`;
  expect((await fitting(renamed)).changed).toEqual([
    ["fs/a.c", undefined],
    ["fs/c.c", CONTENT.replace("line 2\n", "LINE 2\n")],
  ]);
});
