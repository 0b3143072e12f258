import { describe, expect, test } from "vitest";
import { editsOf } from "./edits.js";

const BEFORE = `#include <linux/kernel.h>
#define LIMIT 5
#define WIDE (LIMIT * 2)
#define OTHER 1

/* f(int a) { */
static int plain(int a)
{
	return a > 3;
}

static inline int quick(int a) { return a; }

int __must_check
user(struct s *s,
     int a)

{
	return a > WIDE;
}

SYSCALL_DEFINE2(name, int, a, int, b)
{
	return plain(a);
}
`;

function edits(change: (source: string) => string, read?: (path: string) => string | undefined) {
  const [before, after] = [Buffer.from(BEFORE), Buffer.from(change(BEFORE))];
  return editsOf([{ path: "fs/a.c", before, after }], ["/tree"], read);
}
const at = (line: number, file = "/tree/fs/a.c") => ({ file, line });

describe("edits", () => {
  test("an edited function, by name and by where it is declared", () => {
    const { editsFunction, editsAt } = edits((source) => source.replace("> 3", "> 4"));
    expect(["plain", "quick", "user", "name"].filter(editsFunction)).toEqual(["plain"]);
    expect([7, 12, 15, 22].filter((line) => editsAt(at(line)))).toEqual([7]);
    expect(editsAt(at(7, "/tree/fs/b.c"))).toBe(false);
  });

  test("comments and blanks are no edit", () => {
    const { editsFunction } = edits((source) =>
      source.replace("return a > 3;", "/* why */\n\treturn  a > 3;").replace("/* f(int a) { */", ""),
    );
    expect(["plain", "quick", "user", "name"].filter(editsFunction)).toEqual([]);
  });

  test("what a macro defines is found by its place", () => {
    const { editsAt } = edits((source) => source.replace("plain(a)", "plain(b)"));
    expect([7, 12, 15, 22].filter((line) => editsAt(at(line)))).toEqual([22]);
  });

  test("a function on one line", () => {
    const { editsFunction } = edits((source) => source.replace("{ return a; }", "{ return -a; }"));
    expect(["plain", "quick", "user"].filter(editsFunction)).toEqual(["quick"]);
  });

  test("an edited macro, also through another, in this file and in one that includes it", () => {
    const other = "int far(void)\n{\n\treturn WIDE;\n}\nint near(void)\n{\n\treturn OTHER;\n}\n";
    const { macroIn, editsFunction } = edits(
      (source) => source.replace("LIMIT 5", "LIMIT 6"),
      (path) => (path === "fs/b.c" ? other : undefined),
    );
    expect(editsFunction("user")).toBe(false);
    expect(macroIn(at(15))).toBe("WIDE");
    expect(macroIn(at(7))).toBeUndefined();
    expect(macroIn(at(1, "/tree/fs/b.c"))).toBe("WIDE");
    expect(macroIn(at(5, "/tree/fs/b.c"))).toBeUndefined();
  });
});
