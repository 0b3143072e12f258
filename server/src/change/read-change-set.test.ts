import { describe, expect, it } from "vitest";
import { engines } from "../syntax/engines-under-test.js";
import type { ChangedFile } from "./change-set.js";
import type { Item } from "./item.js";
import { EditedFile, readChangedFile } from "./read-change-set.js";

const BEFORE = `#include <linux/mm.h>
#define LIMIT 4
static DEFINE_MUTEX(lock);
static int limit __read_mostly = 1, *other;
struct foo {
	int a;
	unsigned long b : 3, c : 4;
	void (*run)(struct foo *foo) __rcu;
};
static const struct file_operations fops = {
	.read = my_read,
	.open = my_open,
};
/* Says how many. */
static int count(struct foo *foo, const char *name)
{
	return foo->a;
}
static int __init start(void)
{
	return count(NULL, "x");
}
module_init(start);
SYSCALL_DEFINE2(open, const char __user *, name, int, flags)
{
	return 0;
}
EXPORT_SYMBOL_GPL(count);
`;

/** \`kind name\` of each change, with what became of it. */
function told({ changes }: ChangedFile): string[] {
  return changes.map(({ before, after, name, place }) => {
    const how = before ? (after ? "changed" : "removed") : "added";
    return `${(after ?? before)?.kind} ${name} ${how} at ${place.line}`;
  });
}

describe.each(engines)("change set, %s", (_, engine) => {
  const read = (before: string | undefined, after: string | undefined, path = "kernel/a.c") =>
    readChangedFile(
      engine,
      {
        path,
        ...(before !== undefined && { before: Buffer.from(before) }),
        ...(after !== undefined && { after: Buffer.from(after) }),
      },
      () => () => ({ conditions: [], kept: "yes" }),
    );
  const edited = (...edits: readonly (readonly [string, string])[]) => {
    let after = BEFORE;
    for (const [from, to] of edits) {
      expect(after).toContain(from);
      after = after.replace(from, to);
    }
    return read(BEFORE, after);
  };
  const only = (file: ChangedFile): { before?: Item | undefined; after?: Item | undefined } => {
    expect(file.changes).toHaveLength(1);
    return file.changes[0] ?? {};
  };

  it.each([
    ["a comment", [["Says how", "Tells how"]]],
    [
      "blanks and line breaks",
      [["static int count(struct foo *foo, const", "static int\ncount(struct foo\t*foo,\n\t\tconst"]],
    ],
    [
      "a moved function",
      [
        ["EXPORT_SYMBOL_GPL(count);\n", ""],
        ["#define LIMIT 4\n", "#define LIMIT 4\nEXPORT_SYMBOL_GPL(count);\n"],
      ],
    ],
    ["a forward declaration", [["struct foo {", "struct bar;\nstruct foo {"]]],
  ] as const)("%s is no change", (_title, edits) => {
    const file = edited(...edits);
    expect(told(file)).toEqual([]);
    expect(file.isCosmetic).toBe(true);
    expect(file.hunks).not.toEqual([]);
  });

  it.each([
    ["a body", [["foo->a;", "foo->a + 1;"]], ["function count changed at 15"]],
    ["an initial value", [["= 1", "= 2"]], ["data limit changed at 4"]],
    ["a section", [[" __read_mostly", ""]], ["data limit changed at 4"]],
    ["a macro", [["LIMIT 4", "LIMIT 5"]], ["macro LIMIT changed at 2"]],
    [
      "an added line in front",
      [["#define", "#include <linux/fs.h>\n#define"]],
      ["include < linux / fs . h > added at 2"],
    ],
    [
      "a removed export",
      [["EXPORT_SYMBOL_GPL(count);\n", ""]],
      ["call EXPORT_SYMBOL_GPL(count) removed at 27"],
    ],
    [
      "a renamed function",
      [["int __init start(void)", "int __init begin(void)"]],
      ["function begin added at 19", "function start removed at 19"],
    ],
    ["a table", [["\t.open = my_open,\n", ""]], ["data fops changed at 10"]],
    ["a system call", [["return 0;", "return 1;"]], ["function sys_open changed at 24"]],
    ["a lock's kind", [["DEFINE_MUTEX(lock)", "DEFINE_SPINLOCK(lock)"]], ["data lock changed at 3"]],
  ] as const)("%s", (_title, edits, expected) => {
    expect(told(edited(...edits))).toEqual(expected);
  });

  it("a function is told by its parts", () => {
    const { before, after } = only(
      edited([
        "static int count(struct foo *foo, const char *name)",
        "int count(const struct foo *f, char **names) __must_hold(&lock)",
      ]),
    );
    expect(before).toMatchObject({
      kind: "function",
      isStatic: true,
      returns: "int",
      parameters: ["struct foo *", "const char *"],
    });
    expect(after).toMatchObject({
      isStatic: false,
      parameters: ["const struct foo *", "char * *"],
      annotations: ["__must_hold ( & lock )"],
      body: "{ return foo -> a ; }",
    });
  });

  it("a system call takes its types in turns", () => {
    expect(only(edited(["int, flags", "long, flags"])).after).toMatchObject({
      name: "sys_open",
      macro: "SYSCALL_DEFINE2",
      parameters: ["const char *", "long"],
    });
  });

  it("members of one declaration are told apart", () => {
    const { after } = only(edited(["c : 4", "c : 5"]));
    expect(after).toMatchObject({ kind: "type", name: "struct foo" });
    expect(after?.kind === "type" && after.members.map(({ tokens }) => tokens)).toEqual([
      "int a",
      "unsigned long b : 3",
      "unsigned long c : 5",
      "void ( * run ) ( struct foo * foo ) __rcu",
    ]);
  });

  it("elements of a table are told by their designators", () => {
    const { after } = only(edited([".open = my_open", ".open = new_open"]));
    expect(after).toMatchObject({
      struct: "file_operations",
      isConst: true,
      elements: [
        { designator: ".read", value: "my_read", line: 11 },
        { designator: ".open", value: "new_open", line: 12 },
      ],
    });
  });

  it("the syntax of an item keeps the file's places", () => {
    const file = edited(["foo->a;", "foo->b;"]);
    const item = file.changes[0]?.after;
    const node = item && file.after?.syntax(item);
    expect(node?.type).toBe("function_definition");
    expect(node?.startPosition.row).toBe(14);
    expect(node && file.after?.text.slice(node.startIndex, node.endIndex)).toContain("return foo->b;");
  });

  it("new and removed files hold only added and removed items", () => {
    expect(told(read(undefined, "int a;\n"))).toEqual(["data a added at 1"]);
    expect(told(read("int a;\n", undefined))).toEqual(["data a removed at 1"]);
  });

  it("what cannot be read in changed lines is told, elsewhere it is not", () => {
    const broken = "int ok;\nint ] bad;\n\n\nint last;\n";
    expect(read(broken, broken.replace("last", "end")).unread).toEqual([]);
    expect(read(broken.replace("] ", ""), broken).unread).toMatchObject([{ line: 2 }]);
  });

  it("a reparsed tree reads as a fresh one does", () => {
    const after = BEFORE.replace("LIMIT 4", "LIMIT 4\nstatic int added;")
      .replace("foo->a", "foo->b")
      .replace("\t.open = my_open,\n", "");
    const items = read(BEFORE, after).after?.items;
    expect(items).toEqual(read(undefined, after).after?.items);
  });

  it("half-typed code spoils nothing but the function it is in", () => {
    const functions = Array.from({ length: 8 }, (_, at) => `int f${at}(void)\n{\n\treturn ${at};\n}\n`);
    const before = functions.join("\n");
    const edited = new EditedFile(engine, "kernel/a.c", before, () => () => ({
      conditions: [],
      kept: "yes",
    }));
    for (const typed of ["if (a", "if (a) {", "{ {", "(", "struct {", "case"]) {
      const { changes } = edited.update(before.replace("return 3;", `${typed}\n\treturn 3;`));
      for (const { name } of changes) expect(name).not.toMatch(/^f[0124567]$/);
    }
    edited.close();
  });

  it("lines of a file being edited stand under the conditions that they stood under", () => {
    const before = "#if A\nint a(void)\n{\n\treturn 0;\n}\n#endif\nint b(void)\n{\n\treturn 0;\n}\n";
    let reads = 0;
    const edited = new EditedFile(engine, "kernel/a.c", before, (_, text) => {
      reads++;
      const end = text.split("\n").indexOf("#endif") + 1;
      return (line) => ({ conditions: line > 1 && line < end ? ["A"] : [], kept: "yes" });
    });
    const of = (text: string) =>
      edited.update(text).changes.map(({ name, after }) => `${name} ${after?.conditions.join()}`);
    const longer = before.replace("\treturn 0;\n}\n#endif", "\tg();\n\treturn 0;\n}\n#endif");
    expect(of(longer)).toEqual(["a A"]);
    expect(of(longer.replace(/return 0;\n\}\n$/, "return 1;\n}\n"))).toEqual(["a A", "b "]);
    const readsBefore = reads;
    // A directive that changes is read.
    expect(
      of(
        before.replace(
          "#endif\nint b(void)\n{\n\treturn 0;\n}\n",
          "int b(void)\n{\n\treturn 0;\n}\n#endif\n",
        ),
      ),
    ).toEqual(["b A"]);
    expect(reads).toBeGreaterThan(readsBefore);
    edited.close();
  });

  it("functions that were changed before are judged afresh where what stands above them moves them", () => {
    const functions = Array.from({ length: 9 }, (_, at) => `int f${at}(void)\n{\n\treturn ${at};\n}\n`);
    const before = functions.join("\n");
    const edited = new EditedFile(engine, "kernel/a.c", before, () => () => ({
      conditions: [],
      kept: "yes",
    }));
    let text = before;
    for (const [from, to] of [
      ["return 6;", "return 7 +;"],
      ["return 8;", "return 9;"],
      ["return 1;", "g();\n\treturn 1;"],
      ["return 7 +;", "return 7;"],
      ["g();\n", "gg();\n"],
    ] as const) {
      text = text.replace(from, to);
      const { changes, unread } = edited.update(text);
      const afresh = read(before, text);
      expect({ changes, unread }).toEqual({ changes: afresh.changes, unread: afresh.unread });
    }
    edited.close();
  });

  it("a file being edited is judged as if it were read afresh", () => {
    const edited = new EditedFile(engine, "kernel/a.c", BEFORE, () => () => ({
      conditions: [],
      kept: "yes",
    }));
    let text = BEFORE;
    for (const [from, to] of [
      ["LIMIT 4", "LIMIT 5"],
      ["foo->a;", "foo->a + LIMIT;"],
      ["int a;", "int a;\n\tint added;"],
      ["LIMIT 5", "LIMIT 4"],
      ["module_init(start);\n", ""],
    ] as const) {
      expect(text).toContain(from);
      text = text.replace(from, to);
      const { changes, hunks, unread } = edited.update(text);
      const afresh = read(BEFORE, text);
      expect({ changes, hunks, unread }).toEqual({
        changes: afresh.changes,
        hunks: afresh.hunks,
        unread: afresh.unread,
      });
    }
    expect(told(edited.update(text))).toEqual([
      "type struct foo changed at 5",
      "function count changed at 16",
      "call module_init(start) removed at 23",
    ]);
    edited.close();
  });
});
