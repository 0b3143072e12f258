import type { DiffLine } from "../render/diff-lines.js";
import { printable } from "../render/printable.js";
import type { Finding } from "../review/finding.js";

/** Lines of the new file, and what is proposed in their place. */
export interface Suggestion {
  readonly title: string;
  readonly line: number;
  readonly endLine: number;
  readonly text: string;
}

/**
 * The first fix of a finding that changes nothing but lines around it, all of one hunk: a page can only offer those.
 * @param place of the finding in the diff
 * @param lines of the diff
 */
export function suggestionFor(
  finding: Finding,
  place: DiffLine,
  lines: readonly DiffLine[],
): Suggestion | undefined {
  const moved = place.line - (finding.line ?? place.line);
  for (const { title, edits } of finding.fixes ?? []) {
    if (edits.length === 0 || edits.some(({ file }) => file !== finding.file)) continue;
    const line = Math.min(...edits.map((edit) => edit.line)) + moved;
    const endLine = Math.max(...edits.map((edit) => edit.endLine)) + moved;
    // At some distance only the finding's own line is known to be the same.
    if (line > place.line || endLine < place.line || (moved !== 0 && line !== endLine)) continue;
    const old = lines.filter(
      (one) =>
        one.file === place.file && one.hunkAt === place.hunkAt && one.line >= line && one.line <= endLine,
    );
    if (old.length !== endLine - line + 1) continue;
    const text = edited(
      old.map((one) => one.text),
      edits.map((edit) => ({
        from: { line: edit.line + moved - line, column: edit.column },
        to: { line: edit.endLine + moved - line, column: edit.endColumn },
        text: edit.text,
      })),
    );
    if (text !== undefined && isWhole(text)) return { title, line, endLine, text };
  }
  return undefined;
}

const LONGEST = 3_000;

/** What would be cut or escaped when it is shown is no code that anybody should take over. */
function isWhole(text: string): boolean {
  return text.length <= LONGEST && printable(text) === text;
}

interface Place {
  /** Counts from 0. */
  readonly line: number;
  /** Counts from 1. */
  readonly column: number;
}

/** @returns undefined when an edit lies outside the lines, or in another */
function edited(
  lines: readonly string[],
  edits: readonly { readonly from: Place; readonly to: Place; readonly text: string }[],
): string | undefined {
  const starts = lines.map((_, at) => lines.slice(0, at).reduce((sum, line) => sum + line.length + 1, 0));
  const offset = ({ line, column }: Place) =>
    column > (lines[line]?.length ?? -1) + 1 ? Number.NaN : (starts[line] ?? Number.NaN) + column - 1;
  const stretches = edits
    .map(({ from, to, text }) => ({ from: offset(from), to: offset(to), text }))
    .sort((a, b) => b.from - a.from);
  let whole = lines.join("\n");
  let limit = whole.length;
  for (const { from, to, text } of stretches) {
    if (!(from <= to && to <= limit)) return undefined;
    whole = whole.slice(0, from) + text + whole.slice(to);
    limit = from;
  }
  return whole;
}
