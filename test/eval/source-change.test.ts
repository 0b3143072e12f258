import { expect, test } from "vitest";
import { changesCode, sourceChange, touchedFunctions } from "./source-change.js";

const texts = (before: string, after: string) =>
  sourceChange("fs/a.c", Buffer.from(before), Buffer.from(after), "");

test("lines that go, and lines that something is put behind", () => {
  const patch =
    "--- a/fs/a.c\n+++ b/fs/a.c\n@@ -3,4 +3,4 @@ f\n c\n-d\n+D\n e\n f\n@@ -9,2 +9,3 @@\n i\n+new\n j\n";
  const { lines } = sourceChange("fs/a.c", Buffer.from(""), Buffer.from(""), patch);
  expect([...lines]).toEqual([4, 9]);
});

test("functions are touched up to where the next one starts", () => {
  const declarations = new Map([
    ["f", { file: "/tree/fs/a.c", line: 2 }],
    ["g", { file: "/tree/fs/a.c", line: 8 }],
    ["from_header", { file: "/tree/include/a.h", line: 5 }],
  ]);
  const touched = (line: number) => [
    ...touchedFunctions(
      { path: "fs/a.c", before: "", after: "", lines: new Set([line]) },
      declarations.keys(),
      declarations,
    ),
  ];
  expect(touched(1)).toEqual([]);
  expect(touched(7)).toEqual(["f"]);
  expect(touched(8)).toEqual(["g"]);
});

test.each([
  ["a comment", "f(); /* a */", "f(); /* b\n */ // c\n", false],
  ["blanks", "if (a)\n\tf(1, 2);", "if ( a ) f( 1,2 );", false],
  ["blanks between words", "int a;", "inta;", true],
  ["what looks like a comment in a string", 'f("/* a */");', 'f("/* b */");', true],
  ["code", "f(1);", "f(2);", true],
])("%s", (_, before, after, changes) => expect(changesCode(texts(before, after))).toBe(changes));
