import { describe, expect, it } from "vitest";
import { editBetween } from "./edit.js";
import { MAX_SOURCE_LENGTH, withTree } from "./engine.js";
import { engines } from "./engines-under-test.js";
import { decodeSource } from "./source-text.js";
import { syntaxErrors } from "./syntax-error.js";
import type { Engine } from "./tree.js";

const GOOD = `#include <linux/kernel.h>
#ifdef CONFIG_A
static int __init f(struct a *b, int c)
#else
static int __init f(struct a *b)
#endif
{
	list_for_each_entry(p, &b->list, node) {
		if (p->x > 'c')
			pr_info("%d\\n", p->x);
	}
	return 0;
}
SYSCALL_DEFINE1(g, int, h)
{
	return ({ int i = h; i; });
}
`;

/**
 * Hostile texts, each with the seconds of processor time it may take, generously: they guard against what grows with
 * the square. Not the wall's clock, which a busy machine stretches.
 */
const HOSTILE: readonly (readonly [string, string, number])[] = [
  ["NUL bytes", GOOD.replaceAll(" ", "\0"), 5],
  ["10,000 nested parentheses", `int a = ${"(".repeat(10_000)}1${")".repeat(10_000)};\n`, 10],
  ["10,000 unclosed parentheses of macros", `void f(void)\n{\n${"FOO(".repeat(10_000)}`, 20],
  ["10,000 open conditionals", "#if A\n".repeat(10_000), 20],
  ["10,000 alternatives without a conditional", "#else\n".repeat(10_000), 20],
  ["10,000 open braces", "{".repeat(10_000), 20],
  ["a comment that does not end", `int a; /* ${"x ".repeat(100_000)}`, 5],
  ["a string that does not end", `char *a = "${"x".repeat(100_000)}`, 5],
  ["a megabyte of macros", "FOO_BAR(a, b, c)\n".repeat(60_000), 30],
];

/** Texts of a size, which must cost in proportion to it, with the lesser of two sizes; the other is four times as much. */
const GROWING: readonly (readonly [string, (size: number) => string, number])[] = [
  ["macros", (size) => "FOO_BAR(a, b, c)\n".repeat(size), 5_000],
  ["nested parentheses", (size) => `int a = ${"(".repeat(size)}1${")".repeat(size)};\n`, 10_000],
  ["unclosed parentheses of macros", (size) => `void f(void)\n{\n${"FOO(".repeat(size)}`, 2_500],
  ["open conditionals", (size) => "#if A\n".repeat(size), 2_500],
  ["open braces", (size) => "{".repeat(size), 2_500],
  ["classes that do not end", (size) => "class a\n".repeat(size), 2_500],
  ["words in capitals", (size) => `void f(void)\n{\n\tasm(${"A ".repeat(size)}: );\n}\n`, 2_500],
];

describe.each(engines)("bad input, %s", (_, engine) => {
  it.each(HOSTILE)("%s: a tree in bounded time", { timeout: 300_000 }, (_name, text, seconds) => {
    const start = process.cpuUsage();
    withTree(engine, text, (tree) => {
      expect(tree.root.endIndex).toBeLessThanOrEqual(text.length);
      syntaxErrors(tree, text);
    });
    const { user, system } = process.cpuUsage(start);
    expect((user + system) / 1e6).toBeLessThan(seconds);
  });

  it.each(GROWING)(
    "%s: four times as much takes about four times as long",
    {
      timeout: 300_000,
    },
    (_name, make, size) => {
      const [less, more] = [make(size), make(4 * size)];
      // Linear is 4, quadratic 16; the best of three, and a twentieth of a second for what is too short to measure.
      expect(best(engine, more)).toBeLessThan(9 * best(engine, less) + 0.05);
    },
  );

  it("every truncation gives a tree", () => {
    for (let length = 0; length <= GOOD.length; length++) {
      const text = GOOD.slice(0, length);
      expect(withTree(engine, text, (tree) => tree.root.endIndex)).toBeLessThanOrEqual(length);
    }
  });

  it("random edits leave the tree that a fresh parse gives", () => {
    const random = generator(3);
    let text = GOOD.repeat(3);
    let tree = engine.parse(text);
    for (let round = 0; round < 300; round++) {
      const at = Math.floor(random() * text.length);
      const piece = PIECES[Math.floor(random() * PIECES.length)] ?? "";
      const next = `${text.slice(0, at)}${piece}${text.slice(at + Math.floor(random() * 4))}`;
      const edit = editBetween(text, next);
      if (!edit) continue;
      tree.edit(edit);
      const edited = engine.parse(next, tree);
      tree.free();
      tree = edited;
      text = next;
      // What cannot be read may be repaired in several ways; what can be read has one tree.
      if (!tree.root.hasError) expect(tree.root.toString()).toBe(fresh(engine, text));
      if (round % 20 === 19) {
        text = GOOD.repeat(3);
        tree.free();
        tree = engine.parse(text);
      }
    }
    tree.free();
  });

  it("a text beyond the limit is refused in words", () => {
    const long = " ".repeat(MAX_SOURCE_LENGTH + 1);
    expect(() => engine.parse(long)).toThrow(/more than \d+$/);
  });

  it("a freed tree is not to be used", () => {
    const tree = engine.parse(GOOD);
    tree.free();
    tree.free();
    expect(() => tree.root).toThrow("freed");
  });
});

it("Latin-1 bytes keep their place", () => {
  const bytes = Buffer.from("/* Andr\xe9 */ int a;\n", "latin1");
  expect(decodeSource(bytes)).toBe("/* André */ int a;\n");
  expect(decodeSource(Buffer.from("/* André */"))).toBe("/* André */");
});

const PIECES = [
  " ",
  "x",
  "(",
  ")",
  "{",
  "}",
  ";",
  "\n",
  "#if A\n",
  "#endif\n",
  "#else\n",
  '"',
  "'",
  "/*",
  "*/",
  "\\",
  "__init ",
  "FOO(a)",
];

function fresh(engine: Engine, text: string): string {
  return withTree(engine, text, (tree) => tree.root.toString());
}

/** Seconds of the processor for a parse, the least of three. */
function best(engine: Engine, text: string): number {
  const times = [0, 1, 2].map(() => {
    const start = process.cpuUsage();
    withTree(engine, text, (tree) => tree.root.endIndex);
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1e6;
  });
  return Math.min(...times);
}

/** Numbers between 0 and 1, the same at every run (a linear congruential generator). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}
