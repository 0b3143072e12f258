import { expect, test } from "vitest";
import { hunksOf } from "./sample.js";

const PATCH = `diff --git a/a.c b/a.c
--- a/a.c
+++ b/a.c
@@ -1,4 +1,4 @@
 static int
 f(int a)
 {
-	return g(a);
+	return g(a) + 1;
@@ -20,3 +20,3 @@
 struct s *g(int a)
 {
-	return f(a);
+	return f(a) + 1;
`;

test("the hunk that defines a function, not one that calls it", () => {
  expect(hunksOf(PATCH, "f")).toMatch(/^@@ -1,4/);
  expect(hunksOf(PATCH, "f")).not.toContain("@@ -20");
  expect(hunksOf(PATCH, "g")).toMatch(/^@@ -20,3/);
});

test("a hunk that begins in the function", () => {
  const patch = `${PATCH}@@ -40,2 +40,2 @@ int h(struct s *p)\n-\tone();\n+\ttwo();\n`;
  expect(hunksOf(patch, "h")).toMatch(/^@@ -40,2/);
});

test("all hunks where none defines it", () => {
  expect(hunksOf(PATCH, "__do_sys_h").match(/^@@/gm)).toHaveLength(2);
});
