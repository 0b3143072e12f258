import type { Use } from "../tree/tree-facts.js";
import type { SourceFile } from "./item.js";
import { oncePer } from "./once.js";
import { type Token, tokensOf } from "./tokens.js";

/** A function or a table with an initialiser, as a file's layout shows it. */
export interface Heading {
  /** Of the function; for a table of the variable. */
  readonly name: string;
  /** All that stands before its `{`. */
  readonly text: string;
  readonly line: number;
  readonly endLine: number;
  readonly isFunction: boolean;
}

/**
 * The functions and tables of a file, told by the kernel's layout alone (Documentation/process/coding-style.rst): heads
 * begin in the first column and their closing brace stands there. This costs a tenth of a parse, and is meant for what
 * the patch does not change.
 */
export const outlineOf = oncePer((file: SourceFile): readonly Heading[] => readOutline(file.lines.lines));

/** The heading whose lines hold a line. */
export function headingAt(file: SourceFile, line: number): Heading | undefined {
  return outlineOf(file).find((heading) => heading.line <= line && line <= heading.endLine);
}

/** The function of a file with a name. */
export function functionHeading(file: SourceFile, name: string): Heading | undefined {
  return outlineOf(file).find((heading) => heading.isFunction && heading.name === name);
}

/** Where a name is used in one file, told by tokens; its definition and declarations are left out. */
export function usesByTokens(file: SourceFile, name: string): readonly Use[] {
  const known = usesByName(file);
  const uses = known.get(name) ?? findUses(file, name);
  known.set(name, uses);
  return uses;
}

function findUses(file: SourceFile, name: string): Use[] {
  const uses: Use[] = [];
  let readUpTo = 0;
  for (let at = file.text.indexOf(name); at !== -1; at = file.text.indexOf(name, at + name.length)) {
    const line = file.lines.lineAt(at);
    if (line <= readUpTo) continue;
    const heading = headingAt(file, line);
    // What stands between functions is a declaration, a macro's call or a comment.
    if (!heading && /^\s*(?:\*|\/[*/])/.test(file.lines.lines[line - 1] ?? "")) continue;
    readUpTo = heading?.endLine ?? line;
    const start = file.lines.offsetOf((heading?.line ?? line) - 1);
    uses.push(...usesInStretch(file, name, start, file.lines.offsetOf(readUpTo), heading));
  }
  return uses;
}

function usesInStretch(
  file: SourceFile,
  name: string,
  from: number,
  to: number,
  heading: Heading | undefined,
): Use[] {
  const tokens = tokensOf(file.text.slice(from, to));
  const uses: Use[] = [];
  for (const [at, { text, start }] of tokens.entries()) {
    if (text !== name) continue;
    const isCall = tokens[at + 1]?.text === "(";
    const isHead = heading?.isFunction === true && heading.name === name && start < heading.text.length;
    if (isHead || (isCall && !heading)) continue;
    const { line, column } = file.lines.place(file.path, from + start, from + start);
    uses.push({
      file: file.path,
      line,
      column,
      inPatch: true,
      kind: isCall ? "call" : "address",
      ...(heading?.isFunction && { within: heading.name }),
      ...roleOf(tokens, at),
    });
  }
  return uses;
}

const usesByName = oncePer((_file: SourceFile) => new Map<string, readonly Use[]>());

/** Heads longer than this are none. */
const HEAD_LINES = 24;

function readOutline(lines: readonly string[]): Heading[] {
  const headings: Heading[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    // Most lines begin with a tab: looking at one character is what an editor can afford at every key.
    if (line.charCodeAt(0) < CAPITAL_A || !/^[A-Za-z_]/.test(line) || /^\w+:(?!:)/.test(line)) continue;
    const head = headFrom(lines, at);
    if (!head) continue;
    const end = endFrom(lines, head.braceLine);
    headings.push({ ...named(head.text), text: head.text, line: at + 1, endLine: end + 1 });
    at = end;
  }
  return headings;
}

const CAPITAL_A = 65;
const CLOSING_BRACE = 125;

/** The text from a line up to its `{`; nothing when a `;` comes first. */
function headFrom(lines: readonly string[], from: number): { text: string; braceLine: number } | undefined {
  let text = "";
  for (let at = from; at < Math.min(lines.length, from + HEAD_LINES); at++) {
    const line = lines[at] ?? "";
    if (at > from && /^[}#]/.test(line)) return undefined;
    const stop = line.search(/[{;]/);
    if (stop === -1) {
      text += `${line}\n`;
      continue;
    }
    return line[stop] === "{" ? { text: text + line.slice(0, stop), braceLine: at } : undefined;
  }
  return undefined;
}

function endFrom(lines: readonly string[], brace: number): number {
  if (/\{.*\}\s*;?\s*$/.test(lines[brace] ?? "")) return brace;
  for (let at = brace + 1; at < lines.length; at++) if (lines[at]?.charCodeAt(0) === CLOSING_BRACE) return at;
  return lines.length - 1;
}

/** Annotations that take arguments, in front of a function's name or behind its parameters. */
const WITH_ARGUMENTS = /^__(?:attribute__|printf|scanf|must_hold|acquires|releases|section|aligned|malloc)$/;

function named(head: string): Pick<Heading, "name" | "isFunction"> {
  if (/=\s*$/.test(head))
    return { name: /(\w+)\s*(?:\[[^=]*)?(?:\s__\w+)*\s*=\s*$/.exec(head)?.[1] ?? "", isFunction: false };
  for (const [, name = ""] of head.matchAll(/\b(\w+)\s*\(/g))
    if (!WITH_ARGUMENTS.test(name)) return { name, isFunction: true };
  return { name: /(\w+)\s*$/.exec(head)?.[1] ?? "", isFunction: false };
}

/** What the use of a name at a token means: `.member = name`, `macro(name`. */
function roleOf(tokens: readonly Token[], at: number): Pick<Use, "member" | "argumentOf"> {
  const before = (distance: number) => tokens[at - distance]?.text ?? "";
  const step = before(1) === "&" ? 1 : 0;
  if (before(step + 1) === "=" && /^(?:\.|->)$/.test(before(step + 3))) return { member: before(step + 2) };
  for (let back = step + 1, depth = 0; back < 80; back++) {
    const token = before(back);
    if (token === "" || token === ";" || token === "{" || token === "}") return {};
    if (token === ")") depth++;
    if (token === "(" && depth-- === 0)
      return /^[A-Za-z_]/.test(before(back + 1)) ? { argumentOf: before(back + 1) } : {};
  }
  return {};
}
