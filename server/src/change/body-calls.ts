import type { ChangedFile } from "./change-set.js";
import type { FunctionItem, SourceFile } from "./item.js";
import type { Place } from "./place.js";
import { type Token, tokensOf } from "./tokens.js";

/** A call by name within a function's body, as its tokens tell: no syntax is needed, so that any file may be asked. */
export interface BodyCall {
  readonly name: string;
  /** In normal form. */
  readonly arguments: readonly string[];
  /** Of `guard(mutex)(&lock)` the second list. */
  readonly further?: readonly string[];
  /** What its result is assigned to, in normal form: `p -> buf` of `p->buf = kmalloc(…)`. */
  readonly assignedTo?: string;
  /** Whether the rest of its block leaves the function or jumps: an error path, as a rule. */
  readonly leaves: boolean;
  /** Equal for calls in one block. */
  readonly block: number;
  /** Offsets of its name in the file's text. */
  readonly start: number;
  readonly end: number;
}

/** A function's body: its tokens with their places in the file, and the calls among them. */
export interface Body {
  readonly tokens: readonly Token[];
  /** In the order of the text; those within another's arguments behind it. */
  readonly calls: readonly BodyCall[];
}

const KEYWORDS = new Set(["if", "while", "for", "switch", "return", "sizeof", "typeof", "__typeof__", "do"]);
const LEAVES = new Set(["return", "goto", "break", "continue"]);
const read = new WeakMap<FunctionItem, Body>();

/** Reads a function's body; once for each item. @param file the side that the item is of */
export function bodyOf(file: SourceFile, item: FunctionItem): Body {
  const body = read.get(item) ?? readBody(file, item.bodyStart, item.end);
  read.set(item, body);
  return body;
}

/** Reads a stretch of a file as a function's body. @param start offset in the file's text */
export function readBody(file: SourceFile, start: number, end: number): Body {
  const tokens = tokensOf(file.text.slice(start, end)).map((token) => ({
    ...token,
    start: token.start + start,
  }));
  return { tokens, calls: callsAmong(tokens) };
}

/** Where a call of a patched file stands. */
export function placeOfCall(
  file: ChangedFile,
  call: { readonly start: number; readonly end: number },
): Place {
  const { path, after, before } = file;
  const text = after ?? before;
  if (!text) return { file: path, line: 1, column: 1, endLine: 1, endColumn: 1 };
  return text.lines.place(path, call.start, call.end);
}

/** The last name of an expression in normal form, without indices and arguments: `lock` of `& p -> a [ 0 ] . lock`. */
export function lastName(expression: string): string {
  let plain = expression;
  for (let before = ""; before !== plain; ) {
    before = plain;
    plain = plain.replace(/\[[^[\]]*\]/g, " ").replace(/(\w) \( [^()]*\)/g, "$1 ");
  }
  return /([A-Za-z_]\w*)[^\w]*$/.exec(plain)?.[1] ?? expression;
}

function callsAmong(tokens: readonly Token[]): BodyCall[] {
  const calls: BodyCall[] = [];
  const blocks: number[] = [];
  for (const [at, token] of tokens.entries()) {
    if (token.text === "{") blocks.push(token.start);
    if (token.text === "}") blocks.pop();
    if (tokens[at + 1]?.text !== "(" || !/^[A-Za-z_]/.test(token.text) || KEYWORDS.has(token.text)) continue;
    const previous = tokens[at - 1]?.text;
    if (previous === "." || previous === "->") continue;
    const first = argumentsAt(tokens, at + 1);
    const second = tokens[first.next]?.text === "(" ? argumentsAt(tokens, first.next) : undefined;
    const assignedTo = targetBefore(tokens, at);
    calls.push({
      name: token.text,
      arguments: first.list,
      ...(second && { further: second.list }),
      ...(assignedTo !== undefined && { assignedTo }),
      leaves: leavesBehind(tokens, (second ?? first).next),
      block: blocks.at(-1) ?? 0,
      start: token.start,
      end: token.start + token.text.length,
    });
  }
  return calls;
}

/** @param open index of the parenthesis */
function argumentsAt(tokens: readonly Token[], open: number): { list: string[]; next: number } {
  const list: string[] = [];
  let depth = 0;
  let words: string[] = [];
  for (let at = open; at < tokens.length; at++) {
    const text = tokens[at]?.text ?? "";
    if (/^[([{]$/.test(text)) depth++;
    if (/^[)\]}]$/.test(text)) depth--;
    if (depth === 0) {
      if (words.length > 0) list.push(words.join(" "));
      return { list, next: at + 1 };
    }
    if (depth === 1 && text === ",") {
      list.push(words.join(" "));
      words = [];
    } else if (at > open) words.push(text);
  }
  return { list, next: tokens.length };
}

/** The left side of `x = call(…)`. */
function targetBefore(tokens: readonly Token[], call: number): string | undefined {
  let at = call - 1;
  // A cast between the two.
  if (tokens[at]?.text === ")") while (at > 0 && tokens[at]?.text !== "(") at--;
  if (tokens[at]?.text === "(") at--;
  if (tokens[at]?.text !== "=") return undefined;
  const words: string[] = [];
  for (at--; at >= 0; at--) {
    const text = tokens[at]?.text ?? ";";
    const isType = words.length > 0 && /^\w/.test(text) && /^\w/.test(words[0] ?? "");
    if (isType || !/^(?:\w+|->|\.|\[|\])$/.test(text)) break;
    words.unshift(text);
  }
  return words.length > 0 ? words.join(" ") : undefined;
}

function leavesBehind(tokens: readonly Token[], from: number): boolean {
  let depth = 0;
  for (let at = from; at < tokens.length; at++) {
    const text = tokens[at]?.text ?? "";
    if (text === "{") depth++;
    if (text === "}" && depth-- === 0) return false;
    if (depth === 0 && LEAVES.has(text)) return true;
  }
  return false;
}
