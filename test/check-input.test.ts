import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Ended, hotpatch, type Start } from "./hotpatch.js";

// No kernel was added here, there is no network and no compiler: the source witness needs none of them.
const A = "static int limit = 1;\n\nint grow(int size)\n{\n\treturn size > limit;\n}\n";
const TREE: Readonly<Record<string, string>> = {
  Kbuild: "",
  MAINTAINERS: "",
  Makefile: "VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 0\n",
  "fs/Makefile": "obj-y += a.o\n",
  "fs/a.c": A,
  "fs/crlf.c": A.replaceAll("\n", "\r\n"),
  "fs/other.c": "int other;\n",
};
const TIMEOUT = 120_000;
let folder: string;
let tree: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "check-input-"));
  tree = join(folder, "linux");
  for (const [path, text] of Object.entries(TREE)) put(path, text);
});

afterEach(() => rmSync(folder, { recursive: true }));

function put(path: string, content: string | Buffer): void {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  writeFileSync(join(tree, path), content);
}

function git(...args: string[]): void {
  execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b", ...args], { cwd: tree, stdio: "pipe" });
}

function commit(message: string): void {
  git("add", "--all", "--force");
  git("commit", "--quiet", "--allow-empty", "-m", message);
}

/** Runs `hotpatch check` on a machine that has never seen a kernel. */
function check(args: readonly string[], start: Start = {}): Promise<Ended> {
  const env = { XDG_CACHE_HOME: join(folder, "cache") };
  return hotpatch(["check", ...args], { cwd: tree, ...start, env: { ...env, ...start.env } });
}

/** Checks a patch given on standard input against the tree. */
function checkPatch(text: string, args: readonly string[] = []): Promise<Ended> {
  return check(["--tree", tree, "-", ...args], { input: text });
}

/** The status, one line that says why, at most a remedy below. */
function expectRefusal({ status, stdout, stderr }: Ended, message: RegExp): void {
  const lines = stderr.trimEnd().split("\n");
  expect(status, stderr).toBe(2);
  expect(stdout).toBe("");
  expect(lines[0]).toMatch(/^hotpatch: /);
  expect(lines[0]).toMatch(message);
  expect(lines.length).toBeLessThanOrEqual(2);
  if (lines[1] !== undefined) expect(lines[1]).toMatch(/^ {2}\S/);
}

/** The findings of a check that came to its end. */
function findingsOf({
  stdout,
  stderr,
}: Ended): { rule: string; file: string; line: number; message: string }[] {
  expect(stderr).toBe("");
  return JSON.parse(stdout).findings;
}

const CHANGE =
  "@@ -3,4 +3,4 @@\n int grow(int size)\n {\n-\treturn size > limit;\n+\treturn size >= limit;\n }\n";
const patchOf = (path: string, hunks = CHANGE) => `--- a/${path}\n+++ b/${path}\n${hunks}`;

describe("a patch", { timeout: TIMEOUT }, () => {
  test.each([
    ["that leaves the tree", patchOf("../../etc/passwd"), /leads out of the tree/],
    ["with NUL bytes", patchOf("fs/a.c", `${CHANGE} \0`), /binary file, not a patch/],
    ["with CRLF", patchOf("fs/a.c").replaceAll("\n", "\r\n"), /CRLF/],
    [
      "that makes a symbolic link",
      "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc\n",
      /symbolic link/,
    ],
    ["of a submodule", `diff --git a/s b/s\nindex 1..2 160000\n${patchOf("s")}`, /submodule/],
    ["of a mode only", "diff --git a/fs/a.c b/fs/a.c\nold mode 100644\nnew mode 100755\n", /change nothing/],
    [
      "with 50,000 hunks for a file",
      patchOf("fs/a.c", "@@ -1 +1 @@\n-a\n+b\n".repeat(50_000)),
      /more than 2000 hunks for fs\/a\.c/,
    ],
    ["that is no patch", "hello\n", /holds no change/],
    ["that is empty", "", /is empty/],
  ])("%s is refused", async (_, text, message) => {
    expectRefusal(await checkPatch(text), message);
  });

  test("is answered in the words of the place where it is read", async () => {
    const patch = patchOf(
      "fs/a.c",
      "@@ -1,3 +1,3 @@\n-static int limit = 1;\n+static int limit = 2;\n \n int grow(int size)\n",
    );
    const mail = `Subject: [PATCH] more\nMessage-ID: <1@a>\n\n${patch}`;
    const said = await Promise.all(
      ["mail", "github", "gitlab"].map((format) => checkPatch(mail, ["--format", format])),
    );
    expect(said.map(({ status }) => status)).toEqual([1, 1, 1]);
    expect(said[0]?.stdout).toMatch(
      /^Subject: Re: \[PATCH\] more\nIn-Reply-To: <1@a>\n[\s\S]*\n> \+static int limit = 2;\n\nunsafe: /,
    );
    expect(said[1]?.stdout).toMatch(/^::error file=fs\/a\.c,line=1,/);
    expect(JSON.parse(said[2]?.stdout ?? "")[0]).toMatchObject({
      severity: "blocker",
      location: { path: "fs/a.c" },
    });
  });

  test("of 100 MB is refused before it is read", async () => {
    const file = join(folder, "huge.patch");
    writeFileSync(file, "");
    truncateSync(file, 100_000_000);
    const start = performance.now();
    expectRefusal(await check(["--tree", tree, file]), /larger than 32 MiB/);
    const through = ["bash", "-c", 'yes | head -c 100000000 | "$@"', "bash"];
    expectRefusal(await check(["--tree", tree, "-"], { through }), /larger than 32 MiB/);
    expect(performance.now() - start).toBeLessThan(60_000);
  });

  test("of 50,000 hunks in many files is read, and told what does not fit", async () => {
    const hunks = Array.from(
      { length: 200 },
      (_, at) => `@@ -${at * 8 + 1} +${at * 8 + 1} @@\n-int a${at};\n+b\n`,
    );
    for (let file = 0; file < 250; file++) put(`many/${file}.c`, "int x;\n".repeat(1600));
    const patch = Array.from({ length: 250 }, (_, file) => patchOf(`many/${file}.c`, hunks.join(""))).join(
      "",
    );
    expect(findingsOf(await checkPatch(patch, ["--json"]))).toHaveLength(50_000);
  });

  test("that does not fit is a finding for each part, at the nearest match", async () => {
    const wrong = CHANGE.replace("size > limit", "size > LIMIT");
    const [first, second, third] = findingsOf(
      await checkPatch(patchOf("fs/a.c", wrong) + patchOf("fs/crlf.c") + patchOf("mm/other.c"), ["--json"]),
    );
    expect(first).toMatchObject({ rule: "does-not-apply", file: "fs/a.c", line: 5, column: 16 });
    expect(second).toMatchObject({
      file: "fs/crlf.c",
      message: expect.stringContaining("other white space"),
    });
    expect(third).toMatchObject({ file: "mm/other.c", message: expect.stringContaining("fs/other.c") });
  });

  test("that is there already", async () => {
    put("fs/a.c", A.replace(">", ">="));
    const ended = await checkPatch(patchOf("fs/a.c"));
    expect(ended.status).toBe(1);
    expect(ended.stdout).toMatch(
      /^fs\/a\.c:3: unsafe: .*this source has the change already.*\[does-not-apply\]/m,
    );
  });

  test.each([
    ["deletes a file", `--- a/fs/other.c\n+++ /dev/null\n@@ -1 +0,0 @@\n-int other;\n`, ["fs/other.c"]],
    [
      "renames one",
      "diff --git a/fs/a.c b/fs/b.c\nrename from fs/a.c\nrename to fs/b.c\n",
      ["fs/a.c", "fs/b.c"],
    ],
    ["makes one", "--- /dev/null\n+++ b/fs/n.c\n@@ -0,0 +1 @@\n+int n;\n", ["fs/n.c"]],
    ["is no C", "--- /dev/null\n+++ b/fs/n.png.txt\n@@ -0,0 +1 @@\n+\xff\xfe\n", ["fs/n.png.txt"]],
    ["is no UTF-8", "--- /dev/null\n+++ b/fs/n.c\n@@ -0,0 +1 @@\n+/* \xff\xfe */\n", ["fs/n.c"]],
  ])("that %s is judged", async (_, text, files) => {
    const file = join(folder, "x.patch");
    writeFileSync(file, text, "latin1");
    const ended = await check(["--tree", tree, file, "--json"]);
    expect(ended.stderr).toBe("");
    expect(ended.status).toBeLessThan(2);
    expect(JSON.parse(ended.stdout).patch.files).toEqual(files);
  });
});

describe("a tree", { timeout: TIMEOUT }, () => {
  test("that is no kernel, or named twice", async () => {
    expectRefusal(await check(["--tree", folder, "-"], { input: patchOf("fs/a.c") }), /is no kernel tree/);
    const both = await check(["--tree", tree, "--kernel", "x", "-"], { input: patchOf("fs/a.c") });
    expectRefusal(both, /--kernel and --tree/);
    expectRefusal(await check(["-"], { cwd: folder, input: patchOf("fs/a.c") }), /in no kernel tree/);
  });

  test("lies around the current folder when no kernel was added", async () => {
    const ended = await check(["-", "--json"], { input: patchOf("fs/a.c") });
    expect(ended.stderr).toBe("");
    expect(JSON.parse(ended.stdout).kernel.id).toMatch(/^tree:/);
  });
});

describe("a repository", { timeout: TIMEOUT }, () => {
  beforeEach(() => {
    git("init", "--quiet", "--initial-branch=main");
    writeFileSync(join(tree, ".gitignore"), "*.o\nignored.c\n");
    commit("base");
  });

  /** The files that a check says it looked at. */
  async function looked(...args: string[]): Promise<string[]> {
    const ended = await check([...args, "--json"]);
    expect(ended.stderr).toBe("");
    return JSON.parse(ended.stdout).patch.files;
  }

  test("nothing named: what differs from HEAD, new sources included", async () => {
    expectRefusal(await check([]), /nothing has changed since HEAD/);
    put("fs/a.c", A.replace(">", ">="));
    put("fs/new.c", "int n;\n");
    for (const path of ["fs/ignored.c", "fs/new.o", "notes.txt", "fix.patch"]) put(path, "x\n");
    rmSync(join(tree, "fs/other.c"));
    expect(await looked()).toEqual(["fs/a.c", "fs/new.c", "fs/other.c"]);
  });

  test("a range is what its commits change, whatever is checked out", async () => {
    put("fs/a.c", A.replace(">", ">="));
    git("mv", "fs/other.c", "fs/renamed.c");
    commit("second\n\nhotpatch-ignore: jump-label there is none");
    put("fs/a.c", A.replace(">", "=="));
    const ended = await check(["HEAD~..HEAD", "--json"]);
    expect(JSON.parse(ended.stdout).patch.files).toEqual(["fs/a.c", "fs/other.c", "fs/renamed.c"]);
    expect(findingsOf(ended)).toContainEqual(expect.objectContaining({ rule: "suppression-unused" }));
    expectRefusal(await check(["HEAD..HEAD"]), /nothing differs/);
    expectRefusal(await check(["none..HEAD"]), /git knows no commit 'none'/);
  });

  test("a mode is no change", async () => {
    chmodSync(join(tree, "fs/a.c"), 0o755);
    expectRefusal(await check([]), /nothing has changed/);
    commit("mode");
    expectRefusal(await check(["HEAD~..HEAD"]), /nothing differs/);
  });

  test.each<[string, () => void, RegExp]>([
    [
      "a symbolic link",
      () => symlinkSync("/etc/passwd", join(tree, "fs/link.c")),
      /fs\/link\.c is a symbolic link/,
    ],
    ["a binary source", () => put("fs/a.c", Buffer.from([1, 0, 2])), /fs\/a\.c is a binary file/],
    ["an odd name", () => put('fs/"\n.c', "int x;\n"), /unusual characters in path/],
  ])("%s is refused", async (_, change, message) => {
    change();
    expectRefusal(await check([]), message);
  });

  test("a submodule is refused", async () => {
    git("update-index", "--add", "--cacheinfo", `160000,${"1".repeat(40)},sub`);
    git("commit", "--quiet", "-m", "submodule");
    expectRefusal(await check(["HEAD~..HEAD"]), /sub is a submodule/);
  });

  test("a file that is no source may hold anything", async () => {
    put("Documentation/logo.gif", Buffer.from([1, 0, 2]));
    commit("gif");
    expect(await looked("HEAD~..HEAD")).toEqual(["Documentation/logo.gif"]);
  });
});
