import type { ReadConditions } from "../change/read-change-set.js";
import type { KernelConfig } from "./config.js";
import { unitBuilds } from "./kbuild.js";
import type { SourceTree } from "./source-tree.js";

/** The conditions of `#if` that a line of a C file stands under. */
export interface LineCondition {
  /**
   * Outermost first, as written after the `#if`; `#ifdef X` as `defined(X)`; what an `#else` or `#elif` negates in `!(…)`. The
   * guard of a header is left out.
   */
  readonly conditions: readonly string[];
  /** Whether the configuration keeps the line. */
  readonly kept: Kept;
}

export type Kept = "yes" | "no" | "unknown";

export interface ConditionsOptions {
  /** Whether the file becomes part of a module (`MODULE` is defined then); absent when nobody knows. */
  readonly module?: boolean;
}

/**
 * Reads the conditional directives of a C file (C11 6.10.1). Any text gives an answer; an `#endif` without its `#if` is
 * skipped.
 * @param config absent when nobody knows which options are on
 * @returns a function of a line, counted from 1; the line of a directive belongs to what is around it
 */
export function lineConditions(
  text: string,
  config: KernelConfig | undefined,
  options: ConditionsOptions = {},
): (line: number) => LineCondition {
  const spans = spansOf(text, { config, ...options });
  return (line) => {
    let [low, high] = [0, spans.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((spans[middle]?.line ?? 0) <= line) low = middle;
      else high = middle - 1;
    }
    return conditionOf(spans[low]?.branch);
  };
}

interface Known extends ConditionsOptions {
  readonly config: KernelConfig | undefined;
}

/** Tells the conditions of files of a tree, by its configuration and, where it matters, by what each is built into. */
export function readConditionsOf(tree: SourceTree): ReadConditions {
  const build = unitBuilds(tree);
  const open = (path: string, text: string) => {
    const asksForModule = path.endsWith(".c") && /\bMODULE\b|\bIS_REACHABLE\b/.test(text);
    const into = asksForModule ? build(path).into : "unknown";
    const isKnown = into !== "unknown" && into !== "nothing";
    return lineConditions(text, tree.config, isKnown ? { module: into === "module" } : {});
  };
  // Of most files of a large patch nobody asks.
  return (path, text) => {
    let conditionsAt: ReturnType<typeof open> | undefined;
    return (line) => {
      conditionsAt ??= open(path, text);
      return conditionsAt(line);
    };
  };
}

/** From this line on, what the lines stand under. */
interface Span {
  readonly line: number;
  readonly branch: Branch | undefined;
}

/** A branch of an `#if`. */
interface Branch {
  readonly outer: Branch | undefined;
  /** Its own condition and those of the branches before it, negated. */
  readonly conditions: readonly string[];
  readonly kept: Kept;
}

/** An `#if` whose `#endif` has not come yet. */
interface Open {
  readonly outer: Branch | undefined;
  /** Conditions of its branches so far, negated. */
  negated: string[];
  /** Whether one of them was kept. */
  taken: Kept;
  readonly isGuard: boolean;
}

/** Comments, literals and conditional directives, the latter with what follows up to the end of the line. */
const PIECE =
  /\/\*[\s\S]*?(?:\*\/|$(?![\s\S]))|\/\/(?:\\\r?\n|[^\n])*|"(?:\\[\s\S]|[^"\\\n])*"?|'(?:\\[\s\S]|[^'\\\n])*'?|^[ \t]*#[ \t]*(ifdef|ifndef|if|elifdef|elifndef|elif|else|endif)\b((?:\/\*[\s\S]*?\*\/|\\\r?\n|[^\n])*)/gm;

function spansOf(text: string, known: Known): Span[] {
  const spans: Span[] = [{ line: 1, branch: undefined }];
  const open: Open[] = [];
  let branch: Branch | undefined;
  let isFirst = true;
  let [line, counted] = [1, 0];
  for (const match of text.matchAll(PIECE)) {
    const [whole, directive, rest = ""] = match;
    if (directive === undefined) continue;
    line += newlines(text, counted, match.index);
    counted = match.index;
    const next = line + newlines(whole, 0, whole.length) + 1;
    if (directive === "endif") {
      const closed = open.pop();
      if (closed === undefined) continue;
      spans.push({ line, branch: closed.outer });
      branch = closed.outer;
      continue;
    }
    if (directive.startsWith("el")) {
      const current = open.at(-1);
      if (current === undefined) continue;
      spans.push({ line, branch: current.outer });
      branch = branchOf(current, directive === "else" ? undefined : conditionText(directive, rest), known);
    } else {
      const condition = conditionText(directive, rest);
      const isGuard = isFirst && guards(text, match.index, match.index + whole.length, condition);
      isFirst = false;
      const opened: Open = { outer: branch, negated: [], taken: "no", isGuard };
      open.push(opened);
      branch = branchOf(opened, condition, known);
    }
    spans.push({ line: next, branch });
  }
  return spans;
}

/** Opens the next branch. @param condition undefined for `#else` */
function branchOf(open: Open, condition: string | undefined, known: Known): Branch {
  const holds = condition === undefined ? "yes" : judgeCondition(condition, known);
  const branch: Branch = {
    outer: open.outer,
    conditions: open.isGuard
      ? []
      : [...open.negated.slice(0, MAX_BRANCHES), ...(condition === undefined ? [] : [condition])],
    kept: open.isGuard && condition !== undefined ? "yes" : both(opposite(open.taken), holds),
  };
  if (condition !== undefined) open.negated.push(negation(condition));
  open.taken = opposite(both(opposite(open.taken), opposite(holds)));
  return branch;
}

/** Nobody reads more of the branches before. */
const MAX_BRANCHES = 20;
const MAX_CONDITIONS = 100;

function conditionOf(innermost: Branch | undefined): LineCondition {
  const branches: Branch[] = [];
  let kept: Kept = "yes";
  for (let branch = innermost; branch; branch = branch.outer) {
    branches.push(branch);
    kept = both(kept, branch.kept);
  }
  return {
    conditions: branches
      .reverse()
      .flatMap(({ conditions }) => conditions)
      .slice(0, MAX_CONDITIONS),
    kept,
  };
}

const opposite = (kept: Kept): Kept => (kept === "unknown" ? kept : kept === "yes" ? "no" : "yes");
const both = (a: Kept, b: Kept): Kept =>
  a === "no" || b === "no" ? "no" : a === "yes" && b === "yes" ? "yes" : "unknown";

function conditionText(directive: string, rest: string): string {
  const text = rest
    .replace(/\/\*[\s\S]*?(?:\*\/|$)|\/\/.*$|\\\r?\n/g, " ")
    .replace(/\s+/g, " ")
    .trim();
  if (directive === "if" || directive === "elif") return text;
  const name = /^\w+/.exec(text)?.[0] ?? "";
  return directive.endsWith("ndef") ? `!defined(${name})` : `defined(${name})`;
}

function negation(condition: string): string {
  if (/^!defined\(\w+\)$/.test(condition)) return condition.slice(1);
  return /^defined\(\w+\)$/.test(condition) ? `!${condition}` : `!(${condition})`;
}

function newlines(text: string, from: number, to: number): number {
  let count = 0;
  for (let at = text.indexOf("\n", from); at !== -1 && at < to; at = text.indexOf("\n", at + 1)) count++;
  return count;
}

/**
 * Whether the first `#if` of a file is a header's guard: it asks that a name is not defined, defines it, and nothing but
 * directives stands outside of it.
 */
function guards(text: string, start: number, end: number, condition: string): boolean {
  const [, name = ""] = /^!\s*defined\s*\(?\s*(\w+)/.exec(condition) ?? [];
  const [, defined = ""] =
    /^\s*#[ \t]*define[ \t]+(\w+)/.exec(withoutComments(text.slice(end, end + 4000))) ?? [];
  if (name === "" || defined !== name) return false;
  return isBare(text.slice(0, start)) && isBare(text.slice(text.lastIndexOf("#endif")));
}

const withoutComments = (text: string) => text.replace(/\/\*[\s\S]*?(?:\*\/|$(?![\s\S]))|\/\/[^\n]*/g, " ");
const isBare = (text: string) =>
  withoutComments(text)
    .split("\n")
    .every((line) => /^\s*(?:#|$)/.test(line));

/**
 * @param condition what follows an `#if`, on one line, without comments
 * @returns `unknown` for what depends on more than the configuration, and for what is malformed
 */
export function judgeCondition(condition: string, known: Known): Kept {
  const value = valueOfExpression(condition, known);
  return value === undefined ? "unknown" : value === 0n ? "no" : "yes";
}

/** A value of the preprocessor; undefined when it is not known. */
type Value = bigint | undefined;

interface Reader {
  readonly tokens: readonly string[];
  at: number;
  depth: number;
  readonly known: Known;
}

const TOKEN = /[A-Za-z_]\w*|\d\w*|&&|\|\||[<>=!]=|<<|>>|'(?:\\.|[^'\\])*'|\S/g;
const MAX_LENGTH = 20_000;
const MAX_DEPTH = 100;

class Malformed extends Error {}

function valueOfExpression(text: string, known: Known): Value {
  if (text.length > MAX_LENGTH) return undefined;
  const reader: Reader = { tokens: text.match(TOKEN) ?? [], at: 0, depth: 0, known };
  try {
    const value = ternary(reader);
    return reader.at === reader.tokens.length ? value : undefined;
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

function ternary(reader: Reader): Value {
  const condition = binary(reader, 0);
  if (!accept(reader, "?")) return condition;
  const yes = nested(reader, ternary);
  expectToken(reader, ":");
  const no = nested(reader, ternary);
  if (condition === undefined) return yes === no ? yes : undefined;
  return condition === 0n ? no : yes;
}

/** By rising precedence (C11 6.5). */
const OPERATORS: readonly (readonly string[])[] = [
  ["||"],
  ["&&"],
  ["|"],
  ["^"],
  ["&"],
  ["==", "!="],
  ["<", ">", "<=", ">="],
  ["<<", ">>"],
  ["+", "-"],
  ["*", "/", "%"],
];

function binary(reader: Reader, level: number): Value {
  const operators = OPERATORS[level];
  if (operators === undefined) return unary(reader);
  let left = binary(reader, level + 1);
  for (;;) {
    const operator = reader.tokens[reader.at] ?? "";
    if (!operators.includes(operator)) return left;
    reader.at++;
    left = applied(operator, left, binary(reader, level + 1));
  }
}

function applied(operator: string, left: Value, right: Value): Value {
  const truth = (holds: boolean) => (holds ? 1n : 0n);
  if (operator === "&&" && (left === 0n || right === 0n)) return 0n;
  if (operator === "||" && ((left ?? 0n) !== 0n || (right ?? 0n) !== 0n)) return 1n;
  if (left === undefined || right === undefined) return undefined;
  switch (operator) {
    case "&&":
      return truth(left !== 0n && right !== 0n);
    case "||":
      return truth(left !== 0n || right !== 0n);
    case "|":
      return left | right;
    case "^":
      return left ^ right;
    case "&":
      return left & right;
    case "==":
      return truth(left === right);
    case "!=":
      return truth(left !== right);
    case "<":
      return truth(left < right);
    case ">":
      return truth(left > right);
    case "<=":
      return truth(left <= right);
    case ">=":
      return truth(left >= right);
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return BigInt.asIntN(64, left * right);
    case "<<":
      return right < 0n || right > 63n ? undefined : BigInt.asIntN(64, left << right);
    case ">>":
      return right < 0n || right > 63n ? undefined : left >> right;
    case "/":
      return right === 0n ? undefined : left / right;
    default:
      return right === 0n ? undefined : left % right;
  }
}

function unary(reader: Reader): Value {
  const token = reader.tokens[reader.at++];
  if (token === undefined) throw new Malformed();
  if (token === "(") {
    const value = nested(reader, ternary);
    expectToken(reader, ")");
    return value;
  }
  if (token === "!" || token === "-" || token === "+" || token === "~") {
    const value = nested(reader, unary);
    if (value === undefined) return undefined;
    if (token === "!") return value === 0n ? 1n : 0n;
    return token === "-" ? -value : token === "~" ? ~value : value;
  }
  if (/^\d/.test(token)) return integer(token);
  if (/^[A-Za-z_]/.test(token)) return named(reader, token);
  if (token.startsWith("'") && token.length > 1) return undefined;
  throw new Malformed();
}

function named(reader: Reader, name: string): Value {
  if (name === "defined") {
    const inBrackets = accept(reader, "(");
    const macro = reader.tokens[reader.at++];
    if (macro === undefined || !/^[A-Za-z_]/.test(macro)) throw new Malformed();
    if (inBrackets) expectToken(reader, ")");
    const isDefined = definition(macro, reader.known);
    return isDefined === undefined ? undefined : isDefined ? 1n : 0n;
  }
  if (reader.tokens[reader.at] !== "(") return valueOfName(name, reader.known);
  const argument = skipArguments(reader);
  return /^(?:IS_ENABLED|IS_BUILTIN|IS_MODULE|IS_REACHABLE)$/.test(name) && /^CONFIG_\w+$/.test(argument)
    ? valueOfOption(name, argument, reader.known)
    : undefined;
}

/** `include/linux/kconfig.h` of the kernel. */
function valueOfOption(macro: string, option: string, { config, module }: Known): Value {
  if (config === undefined) return undefined;
  const value = config.value(option);
  const isBuiltIn = value === "y" || value === "1";
  const isModule = value === "m";
  if (macro === "IS_BUILTIN") return isBuiltIn ? 1n : 0n;
  if (macro === "IS_MODULE") return isModule ? 1n : 0n;
  if (macro === "IS_ENABLED") return isBuiltIn || isModule ? 1n : 0n;
  if (isBuiltIn) return 1n;
  return isModule ? (module === undefined ? undefined : module ? 1n : 0n) : 0n;
}

/** Whether a macro is defined; undefined when nobody knows. */
function definition(name: string, { config, module }: Known): boolean | undefined {
  if (name === "__KERNEL__") return true;
  if (name === "__ASSEMBLY__" || name === "__ASSEMBLER__") return false;
  if (name === "MODULE") return module;
  if (!name.startsWith("CONFIG_") || config === undefined) return undefined;
  // An option that is a module defines its name with _MODULE at the end (Documentation/kbuild/kconfig-language.rst).
  const value = config.value(name);
  if (value !== undefined) return value !== "m" && value !== "n";
  return name.endsWith("_MODULE") && config.value(name.slice(0, -"_MODULE".length)) === "m";
}

function valueOfName(name: string, known: Known): Value {
  if (name === "BITS_PER_LONG" || name === "__BITS_PER_LONG") return 64n;
  if (name.startsWith("CONFIG_") && known.config !== undefined) {
    const isDefined = definition(name, known);
    const value = known.config.value(name);
    if (!isDefined) return 0n;
    return value === undefined || value === "y" ? 1n : integer(value);
  }
  return name === "__KERNEL__" ? 1n : undefined;
}

function integer(text: string): Value {
  const [, digits = ""] = /^(0[xX][\da-fA-F]+|\d+)[uUlL]*$/.exec(text) ?? [];
  if (digits === "") return undefined;
  const isOctal = /^0\d/.test(digits);
  return isOctal ? (/^[0-7]+$/.test(digits) ? BigInt(`0o${digits}`) : undefined) : BigInt(digits);
}

/** @returns what stands between the brackets */
function skipArguments(reader: Reader): string {
  const start = reader.at + 1;
  let depth = 0;
  for (; reader.at < reader.tokens.length; reader.at++) {
    if (reader.tokens[reader.at] === "(") depth++;
    else if (reader.tokens[reader.at] === ")" && --depth === 0) {
      return reader.tokens.slice(start, reader.at++).join("");
    }
  }
  throw new Malformed();
}

function nested(reader: Reader, read: (reader: Reader) => Value): Value {
  if (++reader.depth > MAX_DEPTH) throw new Malformed();
  const value = read(reader);
  reader.depth--;
  return value;
}

function accept(reader: Reader, token: string): boolean {
  if (reader.tokens[reader.at] !== token) return false;
  reader.at++;
  return true;
}

function expectToken(reader: Reader, token: string): void {
  if (!accept(reader, token)) throw new Malformed();
}
