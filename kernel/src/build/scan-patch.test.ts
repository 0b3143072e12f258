import { expect, test } from "vitest";
import { Fault } from "../host/fault.js";
import { scanPatch } from "./scan-patch.js";

const HUNK = "@@ -1 +1 @@\n-old\n+new\n";

function plain(before: string, after = before.replace(/^a\//, "b/")): string {
  return `--- ${before}\n+++ ${after}\n${HUNK}`;
}

function files(text: string) {
  return scanPatch("p", text).sections.map(({ file }) => file);
}

/** What the person is told, message and remedy. */
function complaint(text: string): string {
  try {
    scanPatch("p", text);
  } catch (error) {
    if (error instanceof Fault && error.code === "bad-input") return `${error.message} | ${error.remedy}`;
    throw error;
  }
  return "accepted";
}

test("a diff with times after the names, as diff -u writes it", () => {
  const text =
    "diff -u x y\n--- linux.orig/fs/a.c\t2026-11-23 04:39:59\n+++ linux/fs/a.c\t2026-11-23 04:40:00\n";
  expect(files(text + HUNK)).toEqual([{ before: "fs/a.c", after: "fs/a.c" }]);
});

test("a mail of git format-patch: message, statistics and signature are no part of the change", () => {
  const mail = `From 0123 Mon Sep 17 00:00:00 2001
Subject: [PATCH] fs: quote --- and +++
--- not/a header
---
 fs/a.c | 2 +-

diff --git a/fs/a.c b/fs/a.c
index 1234567..89abcde 100644
--- a/fs/a.c
+++ b/fs/a.c
@@ -1,2 +1,2 @@ int f(void)
 context
--- a/looks/like/a/header
+++ b/looks/like/a/header
-- 
2.39.5
`;
  expect(files(mail)).toEqual([{ before: "fs/a.c", after: "fs/a.c" }]);
});

test("hunks with their lines, and the description around the diffs", () => {
  const { sections, description } = scanPatch(
    "p",
    `Subject: x\n\nwhy\n--- a/a.c\n+++ b/a.c\n@@ -7,2 +7,2 @@ f\n one\n-two\n\\ No newline at end of file\n+2\n\\ No newline at end of file\n-- \n2.39`,
  );
  const lines = [" one", "-two", "\\ No newline at end of file", "+2", "\\ No newline at end of file"];
  expect(sections).toEqual([{ file: { before: "a.c", after: "a.c" }, hunks: [{ start: 7, lines }] }]);
  expect(description).toBe("Subject: x\n\nwhy\n-- \n2.39");
});

test("new, deleted, renamed and empty files", () => {
  const text = `diff --git a/new.c b/new.c
new file mode 100644
index 0000000..1
--- /dev/null
+++ b/new.c
@@ -0,0 +1 @@
+int x;
diff --git a/gone.c b/gone.c
deleted file mode 100644
index 1..0000000
--- a/gone.c
+++ /dev/null
@@ -1 +0,0 @@
-int x;
diff --git a/from.c b/to.c
similarity index 100%
rename from from.c
rename to to.c
diff --git a/empty.h b/empty.h
new file mode 100644
index 0000000..e69de29
`;
  expect(files(text)).toEqual([
    { after: "new.c" },
    { before: "gone.c" },
    { before: "from.c", after: "to.c" },
    { after: "empty.h" },
  ]);
});

test("no newline at the end of the file", () => {
  const text =
    "--- a/a.c\n+++ b/a.c\n@@ -1 +1 @@\n-old\n\\ No newline at end of file\n+new\n\\ No newline at end of file";
  expect(files(text)).toEqual([{ before: "a.c", after: "a.c" }]);
});

test.each([
  ["nothing at all", "", /holds no change/],
  ["text that is no patch", "Hello\nworld\n", /holds no change.*git diff/],
  ["an encoded mail", "Content-Transfer-Encoding: base64\n\nZGlmZg==\n", /holds no change.*encoded/],
  ["bytes", "diff\0", /binary file, not a patch/],
  [
    "a literal binary change",
    "diff --git a/x.c b/x.c\nindex 1..2 100644\nGIT binary patch\nliteral 0\n",
    /binary/,
  ],
  [
    "a binary change",
    "diff --git a/x.c b/x.c\nindex 1..2 100644\nBinary files a/x.c and b/x.c differ\n",
    /binary/,
  ],
  ["CRLF", plain("a/fs/a.c").replaceAll("\n", "\r\n"), /CRLF.*dos2unix/],
  ["CRLF only in the hunk", plain("a/fs/a.c").replace("+new\n", "+new\r\n"), /p:5: .*CRLF/],
  ["a path out of the tree", plain("a/../../etc/passwd"), /leads out of the tree/],
  ["a path out of the tree, new name only", plain("a/fs/a.c", "b/../x.c"), /leads out of the tree/],
  ["an absolute path", plain("/etc/passwd"), /absolute path/],
  ["an absolute path after the prefix", plain("a//etc/passwd"), /odd path/],
  ["git's own files", plain("a/.git/config"), /inside \.git/],
  ["git's own files in capitals", plain("a/x/.GIT/hooks/post"), /inside \.git/],
  ["a build output", plain("a/include/generated/autoconf.h"), /build output/],
  ["an object", plain("a/fs/a.o"), /build output/],
  ["a quoted name", plain('"a/fs/\\303\\244.c"'), /unusual characters/],
  ["no prefix", plain("a.c", "a.c"), /lacks the leading a\/ or b\//],
  [
    "a new link",
    "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc\n",
    /symbolic link/,
  ],
  ["a changed link", `diff --git a/l b/l\nindex 1..2 120000\n${plain("a/l")}`, /symbolic link/],
  ["a submodule", `diff --git a/s b/s\nindex 1..2 160000\n${plain("a/s")}`, /submodule/],
  [
    "a rename out of the tree",
    "diff --git a/x b/y\nrename from x\nrename to ../y\n",
    /leads out of the tree/,
  ],
  [
    "a mode change of a file out of the tree",
    "diff --git a/../x b/../x\nold mode 100644\nnew mode 100755\n",
    /leads out/,
  ],
  ["a cut off hunk", "--- a/a.c\n+++ b/a.c\n@@ -1,9 +1,9 @@\n context\n", /p:3: .*cut off/],
  ["a hunk with a strange line", "--- a/a.c\n+++ b/a.c\n@@ -1,2 +1,2 @@\n a\n*b\n", /p:5: no line of a hunk/],
  ["a hunk without a file", HUNK, /belongs to no file/],
])("refuses %s", (_, text, expected) => {
  expect(complaint(text)).toMatch(expected);
});
