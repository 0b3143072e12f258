import { ruleOf } from "../rules/catalogue.js";
import type { Finding } from "./finding.js";
import { findingOf } from "./finding-of.js";

/** Where an author may have written `hotpatch-ignore: RULE reason`. */
export interface Written {
  /** Files of the patch. */
  readonly paths: readonly string[];
  /** A file as the patch leaves it; undefined when it is gone. */
  textOf(path: string): string | undefined;
  /** A mail's text in front of the diff, messages of commits. */
  readonly description: string;
}

/**
 * Sets aside the findings that the author of the patch wants set aside and says why: by `hotpatch-ignore: RULE reason` in a
 * comment on the finding's line, in the comment that ends on the line before it or before the item that it is in, or at the
 * beginning of a line of the description, which counts for the whole patch.
 * @returns all findings, some marked as suppressed; behind them one for each suppression that has no reason or no effect
 */
export function suppress(findings: readonly Finding[], written: Written): Finding[] {
  const marked = [...findings];
  const complaints: Finding[] = [];
  const indexes = new Map<string, number[]>();
  for (const [at, { rule }] of findings.entries()) {
    const same = indexes.get(rule);
    if (same) same.push(at);
    else indexes.set(rule, [at]);
  }

  for (const wish of wishesIn(written)) {
    const complain = (rule: string, message: string) =>
      complaints.push(findingOf({ rule, message, ...wish.place }, "source"));
    const known = ruleOf(wish.rule);
    if (!known) complain("suppression-unused", `${shown(wish.rule)} is no rule: nothing is suppressed`);
    else if (!isSuppressible(known.id)) complain("suppression-unused", `${known.id} cannot be suppressed`);
    else if (wish.reason === "")
      complain("suppression-without-reason", `${known.id} is to be ignored here, and nobody says why`);
    else {
      const meant = (indexes.get(known.id) ?? []).filter((at) => covers(wish, findings[at]));
      if (meant.length === 0)
        complain("suppression-unused", `there is no finding of ${known.id} here: nothing is suppressed`);
      for (const at of meant) {
        const finding = marked[at];
        if (finding && !finding.suppressed) marked[at] = { ...finding, suppressed: { reason: wish.reason } };
      }
    }
  }
  return [...marked, ...complaints];
}

/** Whether an author may set a rule aside: what was not judged cannot be forgiven, and a suppression cannot excuse itself. */
export function isSuppressible(rule: string): boolean {
  return !["does-not-apply", "suppression-without-reason", "suppression-unused"].includes(rule);
}

/** What an author wants ignored. */
interface Wish {
  readonly rule: string;
  readonly reason: string;
  /** Where it is written; empty for the description. */
  readonly place: { readonly file?: string; readonly line?: number; readonly column?: number };
  /** The lines it counts for; absent for the whole patch. */
  readonly lines?: { readonly from: number; readonly to: number };
}

function covers({ place, lines }: Wish, finding: Finding | undefined): boolean {
  if (!lines) return true;
  const line = finding?.line ?? null;
  return finding?.file === place.file && line !== null && line >= lines.from && line <= lines.to;
}

function shown(rule: string): string {
  return rule === "" ? "an empty name" : `'${rule.slice(0, 60)}'`;
}

const WISH = /hotpatch-ignore:[ \t]*(\S*)[ \t]*(.*)$/;

function wishesIn({ paths, textOf, description }: Written): Wish[] {
  const wishes: Wish[] = [];
  for (const file of paths) {
    const text = textOf(file);
    if (text?.includes("hotpatch-ignore:")) wishes.push(...wishesInFile(file, text));
  }
  for (const line of description.split("\n")) {
    const wish = /^\s*hotpatch-ignore:/.test(line) ? WISH.exec(line) : null;
    if (wish) wishes.push({ rule: wish[1] ?? "", reason: (wish[2] ?? "").trim(), place: {} });
  }
  return wishes;
}

/** More than any file has reason for; those beyond count for nothing. */
const WISHES = 1000;

function wishesInFile(file: string, text: string): Wish[] {
  const lines = text.split("\n");
  const wishes: Wish[] = [];
  for (const comment of commentsIn(file, text)) {
    if (wishes.length >= WISHES) break;
    for (const piece of comment.pieces) {
      const wish = WISH.exec(piece.text);
      if (!wish) continue;
      const place = { file, line: piece.line, column: piece.column + wish.index + 1 };
      const [, rule = "", reason = ""] = wish;
      wishes.push({ rule, reason: reason.trim(), place, lines: linesMeant(lines, comment) });
    }
  }
  return wishes;
}

interface Comment {
  /** Lines count from 1. */
  readonly from: number;
  to: number;
  /** Of its start; counts from 0. */
  readonly column: number;
  /** Whether nothing but blanks stands in front of it. */
  readonly isAlone: boolean;
  /** Its lines. */
  readonly pieces: { readonly line: number; readonly column: number; readonly text: string }[];
}

/** Comments and what could be taken for one; an end that is missing is the end of the text, or of the line. */
const C_TOKEN =
  /\/\*(?:[^*]|\*(?!\/))*(?:\*\/)?|\/\/[^\n]*|"(?:\\[^\n]|[^"\\\n])*"?|'(?:\\[^\n]|[^'\\\n])*'?/g;
const HASH_TOKEN = /#[^\n]*|"(?:\\[^\n]|[^"\\\n])*"?/g;

/** Comments of a file, those of one line that follow each other without code as one. */
function commentsIn(file: string, text: string): Comment[] {
  const comments: Comment[] = [];
  let line = 1;
  let lineStart = 0;
  for (const { 0: token, index } of text.matchAll(/\.[chS]$/.test(file) ? C_TOKEN : HASH_TOKEN)) {
    for (let next = text.indexOf("\n", lineStart); next !== -1 && next < index; ) {
      line++;
      lineStart = next + 1;
      next = text.indexOf("\n", lineStart);
    }
    if (token.startsWith('"') || token.startsWith("'")) continue;
    const column = index - lineStart;
    const isAlone = column < INDENT && text.slice(lineStart, index).trim() === "";
    const pieces = token
      .replace(/\*\/$/, "")
      .split("\n")
      .map((piece, at) => ({ line: line + at, column: at === 0 ? column : 0, text: piece }));
    const to = line + pieces.length - 1;
    const last = comments.at(-1);
    if (isAlone && last?.isAlone && last.to === line - 1 && !token.startsWith("/*")) {
      last.to = to;
      last.pieces.push(...pieces);
    } else comments.push({ from: line, to, column, isAlone, pieces });
  }
  return comments;
}

/** Deeper than any code is indented. */
const INDENT = 400;
/** Longer than any function. */
const ITEM_LINES = 5000;

/** The comment's own lines; for one that stands alone also the line behind it and, at the top level, the whole item there. */
function linesMeant(
  lines: readonly string[],
  { from, to, column, isAlone }: Comment,
): { from: number; to: number } {
  if (!isAlone) return { from, to };
  const first = lines[to] ?? "";
  if (column > 0 || !/^[A-Za-z_#]/.test(first)) return { from, to: to + 1 };
  let isOpen = false;
  for (let at = to; at < Math.min(lines.length, to + ITEM_LINES); at++) {
    const line = lines[at] ?? "";
    if (line.startsWith("}")) return { from, to: at + 1 };
    isOpen ||= line.includes("{");
    if (!isOpen && (/;\s*$/.test(line) || line.trim() === "")) return { from, to: at + 1 };
  }
  return { from, to: to + 1 };
}
