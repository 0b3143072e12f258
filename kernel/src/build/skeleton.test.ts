import { describe, expect, test } from "vitest";
import { skeleton } from "./skeleton.js";

const FILE = `
struct s {
	int a;
};
static int
f(struct s *s)
{
	if (s)
		return 1; /* } */
	return 0;
}
SYSCALL_DEFINE1(x, int, a)
{
	return a;
}
`;

describe("a change that no type can notice", () => {
  test.each([
    ["in a function", "return 0;", "return s->a + 2;"],
    ["in a system call", "return a;", "return -a;"],
    ["in a comment", "/* } */", "/* struct s { int b; }; */"],
    ["in white space", "\tint a;", "    int  a;"],
  ])("%s", (_, from, to) => {
    expect(FILE).toContain(from);
    expect(skeleton(FILE.replace(from, to)).replaceAll(/ +/g, " ")).toBe(
      skeleton(FILE).replaceAll(/ +/g, " "),
    );
  });
});

describe("a change that matters", () => {
  test.each([
    ["a member", "int a;", "int a, b;"],
    ["a directive in a function", "\tif (s)", "#define int long\n\tif (s)"],
    ["a new type behind a function", "SYSCALL_DEFINE1", "union u { int b; };\nSYSCALL_DEFINE1"],
    [
      "a type that looks like a function",
      "struct s {",
      "struct __attribute__((packed))\n{\n\tint z;\n} p;\nstruct s {",
    ],
    ["a type with a macro's name", "struct s {", "struct name(p)\n{\n\tint z;\n};\nstruct s {"],
    ["a comment that looks like a function", "struct s {\n\tint a;", "/* f()\n{ */ struct s {\n\tint b;"],
    ["a continued comment", "struct s {\n\tint a;", "// f() \\\n{\nstruct s {\n\tint b;"],
    ["an initialiser", "static int\n", "int t[] = {\n\t1,\n};\nstatic int\n"],
    ["a head in the parameters", "f(struct s *s)", "f(struct t *s)"],
  ])("%s", (_, from, to) => {
    expect(FILE).toContain(from);
    expect(skeleton(FILE.replace(from, to))).not.toBe(skeleton(FILE));
  });
});
