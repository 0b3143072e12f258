import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Fault } from "../host/fault.js";
import { applyPatches } from "./patch-files.js";

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

test("a patch that does not apply names file and line of the first hunk that fails", async () => {
  const wrong = patch("fs/a.c", "@@ -7,3 +7,3 @@\n line 7\n-something else\n+x\n line 9\n");
  expect(await complaint(wrong)).toMatch(/^1\.patch does not apply: hunk at fs\/a\.c:7 \| make it against/);
});

test("a patch that is in the source already is told from one that does not fit", async () => {
  await put("fs/a.c", CONTENT.replace("line 2\n", "LINE 2\n"));
  expect(await complaint(patch("fs/a.c"))).toMatch(
    /hunk at fs\/a\.c:1 \| this source has the change already/,
  );
});

test("the second patch of a series is named when it fails", async () => {
  expect(await complaint(patch("fs/a.c"), patch("fs/a.c"))).toMatch(/^2\.patch does not apply/);
});

test("an unknown file, and one whose path lacks the prefix", async () => {
  expect(await complaint(patch("fs/none.c"))).toMatch(/this kernel has no file fs\/none\.c \| $/);
  const bare = `--- fs/a.c\n+++ fs/a.c\n${CHANGE}`;
  expect(await complaint(bare)).toMatch(/this kernel has no file a\.c \| paths need the leading a\/ and b\//);
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
