import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { keepLineNumbers, patchedLine } from "./line-markers.js";

/**
 * Inserts a line at the mark `@` and tells which numbers the C preprocessor gives to the lines that hold `__LINE__`,
 * before and after; real gcc, so that a directive in a wrong place shows.
 */
function numbers(marked: string, inserted: string, strictness: string) {
  const before = marked.replaceAll("@\n", "");
  const text = keepLineNumbers(before, marked.replaceAll("@\n", `${inserted}\n`));
  const lines = (source: string) =>
    [...preprocess(source, strictness).matchAll(/at (\d+)/g)].map((match) => Number(match[1]));
  expect(preprocess(text, strictness)).not.toContain("#line");
  return { before: lines(before), after: lines(text), text };
}

/** Pedantic: gcc takes directives among the arguments of a macro, and only then says that nobody else does. */
function preprocess(source: string, strictness = "-pedantic-errors"): string {
  const argv = ["-E", "-P", "-std=gnu11", strictness, "-x", "c", "-"];
  return execFileSync("gcc", argv, { input: source, encoding: "utf8" });
}

test("unchanged lines keep their numbers after inserted, removed and replaced ones", () => {
  const before = "one;\ntwo;\nthree at __LINE__;\nfour;\nfive at __LINE__;\nsix at __LINE__;\n";
  const after = "zero;\none;\nthree at __LINE__;\n4;\n4;\n4;\nfive at __LINE__;\nsix at __LINE__;\n";
  expect(preprocess(keepLineNumbers(before, after))).toContain("three at 3");
  expect(preprocess(keepLineNumbers(before, after))).toContain("five at 5");
  expect(preprocess(keepLineNumbers(before, after))).toContain("six at 6");
});

test("the name of the file stays", () => {
  const text = keepLineNumbers("a;\n__FILE__;\n", "b;\nb;\n__FILE__;\n");
  expect(preprocess(text)).toContain('"<stdin>"');
});

test("nothing is put into an equal file", () => {
  expect(keepLineNumbers("a\nb\n", "a\nb\n")).toBe("a\nb\n");
});

test.each([
  ["a comment", "int a;\n/* one\n@\ntwo */\nx at __LINE__;\n"],
  ["a comment after code with quotes", 'char *a = "/*"; /* it\'s\n@\nall */ int b;\nx at __LINE__;\n'],
  ["a line comment that goes on", "// one \\\n@\ntwo\nx at __LINE__;\n"],
  ["a macro of several lines", "#define M(x) \\\n  f(x); \\\n@\n  g(x)\nM(1);\nx at __LINE__;\n"],
  ["a directive whose comment goes on", "#define M /* one\n@\ntwo */ 1\nx at __LINE__;\n"],
  ["arguments of a macro", "#define M(a, b) a b\nM(1,\n@\n2);\nx at __LINE__;\n"],
  ["nested arguments with literals", "#define M(a, b) a b\nM(\")\", f(')',\n@\n(2)));\nx at __LINE__;\n"],
  ["a macro's name and its parenthesis", "#define M(a) a\nM\n@\n(1);\nx at __LINE__;\n"],
  ["a literal that goes on", 'char *s = "one\\\n@\ntwo";\nx at __LINE__;\n', "more\\"],
  ["a character that is a quote", "char c = '\"';\n@\nx at __LINE__;\nchar d = '\\'';\nx at __LINE__;\n"],
  ["text that is left out", "#if 0\nit's (\n@\n#endif\nx at __LINE__;\n", "(", "-w"],
  ["a branch that is left out", "int a;\n#ifdef NO\n@\nint b;\n#endif\nx at __LINE__;\n"],
  ["both branches", "#ifdef NO\n@\nint b;\n#else\n@\nx at __LINE__;\n#endif\nx at __LINE__;\n"],
  [
    "nested branches",
    "#ifdef NO\n#if 1\n@\n#endif\nint b;\n#elif 1\nx at __LINE__;\n#endif\nx at __LINE__;\n",
  ],
  [
    "parentheses that differ between branches",
    "#ifdef NO\n  if (a(\n#else\n  if (b(\n#endif\n  c)) d;\n@\nx at __LINE__;\n}\nx at __LINE__;\n",
  ],
])(
  "a line put into or after %s",
  (_, marked, inserted = "/* inserted */", strictness = "-pedantic-errors") => {
    const { before, after, text } = numbers(marked, inserted, strictness);
    expect(before.length).toBeGreaterThan(0);
    expect(after, text).toEqual(before);
  },
);

test("numbers of the compiler lead back to lines of the patched file", () => {
  const before = "a\nb\nc\nd\n";
  const after = "a\nnew\nnew\nb\nd\n";
  expect([1, 2, 3, 4].map((line) => patchedLine(before, after, line))).toEqual([1, 4, 3, 5]);
});

test("files that have too little in common are left as they are", () => {
  const before = Array.from({ length: 9000 }, (_, index) => `old ${index}\n`).join("");
  const after = Array.from({ length: 9000 }, (_, index) => `new ${index}\n`).join("");
  expect(keepLineNumbers(before, after)).toBe(after);
});
