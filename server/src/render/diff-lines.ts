import type { Finding } from "../review/finding.js";

/** A line of a unified diff that is in the file after the change: context, or added. */
export interface DiffLine {
  readonly file: string;
  /** In that file; counts from 1. */
  readonly line: number;
  readonly text: string;
  readonly isAdded: boolean;
  /** Index among the lines of the diff: of itself, and of its hunk's header. */
  readonly at: number;
  readonly hunkAt: number;
}

const HUNK = /^@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/;

/**
 * The lines of a unified diff as they stand in the files after it. What is no diff, such as a mail around it, is passed
 * over; so is a hunk that belongs to no file.
 * @param file that hunks belong to before a `+++` line names one
 */
export function linesAfter(diff: string, file: string | null = null): DiffLine[] {
  const found: DiffLine[] = [];
  let path = file;
  let hunkAt = 0;
  let next = 0;
  let left = { before: 0, after: 0 };
  for (const [at, line] of diff.split("\n").entries()) {
    if (left.before > 0 || left.after > 0) {
      const kind = line[0] ?? " ";
      if (kind === "\\") continue;
      left = { before: left.before - (kind === "+" ? 0 : 1), after: left.after - (kind === "-" ? 0 : 1) };
      if (kind === "-") continue;
      if (path !== null)
        found.push({ file: path, line: next, text: line.slice(1), isAdded: kind === "+", at, hunkAt });
      next++;
      continue;
    }
    const [header, before, start, after] = HUNK.exec(line) ?? [];
    if (header !== undefined) {
      hunkAt = at;
      next = Number(start);
      left = { before: Number(before ?? 1), after: Number(after ?? 1) };
    } else if (line.startsWith("+++ ")) path = pathNamed(line.slice(4));
  }
  return found;
}

/** `b/PATH`, with a time behind a tab in what `diff -u` writes. */
function pathNamed(written: string): string | null {
  const [name = ""] = written.split("\t", 1);
  return name.trimEnd() === "/dev/null" ? null : name.slice(name.indexOf("/") + 1).trimEnd();
}

/** Shorter code stands in too many places to be recognised. */
const TELLING = 8;

/**
 * The line of a diff that a finding is about. Where the diff was applied at some distance, the number is another: then the
 * only added line with the finding's own code is meant.
 * @returns undefined when the finding is elsewhere, or it cannot be told
 */
export function lineOf(finding: Finding, lines: readonly DiffLine[]): DiffLine | undefined {
  const code = finding.excerpt?.text;
  const own = lines.filter(({ file }) => file === finding.file);
  const there = own.find(({ line }) => line === finding.line);
  if (there && (code === undefined || there.text === code)) return there;
  if (code === undefined || code.trim().length < TELLING) return undefined;
  const [same, ...others] = own.filter(({ isAdded, text }) => isAdded && text === code);
  return others.length === 0 ? same : undefined;
}
