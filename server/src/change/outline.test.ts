import { expect, it } from "vitest";
import { loadEngine } from "../syntax/engine.js";
import { functionHeading, headingAt, outlineOf, usesByTokens } from "./outline.js";
import { LazySourceFile } from "./source-file.js";

const engine = await loadEngine();

function fileOf(text: string) {
  return new LazySourceFile(engine, "mm/example.c", text, () => ({ conditions: [], kept: "yes" }));
}

const FILE = fileOf(`#include <linux/init.h>

static int helper(int a);

struct plain {
	int member;
};

/*
 * helper() is told of here.
 */
static int __must_check
helper(int a)
{
	return a; /* not helper() */
out:
	return helper(a - 1);
}

__printf(1, 2) void report(const char *format, ...)
{
	const char *name = "helper";

	helper(register_it(1, &helper));
}

static inline int one(void) { return 1; }

static const struct operations example_operations[2] __initconst = {
	.run = helper,
	{ .stop = &one },
};

module_init(helper);
`);

it("finds functions and tables by their layout", () => {
  const found = outlineOf(FILE).map(({ name, line, endLine, isFunction }) => [
    name,
    line,
    endLine,
    isFunction,
  ]);
  expect(found).toEqual([
    ["plain", 5, 7, false],
    ["helper", 12, 18, true],
    ["report", 20, 25, true],
    ["one", 27, 27, true],
    ["example_operations", 29, 32, false],
  ]);
  expect(functionHeading(FILE, "helper")?.text).toBe("static int __must_check\nhelper(int a)\n");
  expect(functionHeading(FILE, "plain")).toBeUndefined();
  expect(headingAt(FILE, 19)).toBeUndefined();
});

it("tells uses from declarations, comments and strings, and what they are for", () => {
  const found = usesByTokens(FILE, "helper").map(({ line, kind, within, member, argumentOf }) => ({
    line,
    kind,
    within,
    member,
    argumentOf,
  }));
  const none = { within: undefined, member: undefined, argumentOf: undefined };
  expect(found).toEqual([
    { ...none, line: 17, kind: "call", within: "helper" },
    { ...none, line: 24, kind: "call", within: "report" },
    { ...none, line: 24, kind: "address", within: "report", argumentOf: "register_it" },
    { ...none, line: 30, kind: "address", member: "run" },
    { ...none, line: 34, kind: "address", argumentOf: "module_init" },
  ]);
  expect(usesByTokens(FILE, "one").map(({ member }) => member)).toEqual(["stop"]);
});

it("reads any text", () => {
  for (const text of ["", "{", "a(\n".repeat(100), "int f(void)\n{\n\treturn 1;", "}\n}\n", "x = {"])
    expect(outlineOf(fileOf(text)).length).toBeLessThanOrEqual(1);
});
