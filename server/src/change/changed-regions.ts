import type { Stretch } from "../syntax/tree.js";
import type { Hunk } from "./change-set.js";
import { endRow, firstRow } from "./hunks.js";
import type { LineIndex } from "./line-index.js";

/** A stretch of the text before, and the stretch of the text after that took its place. */
export interface Region {
  readonly before: Stretch;
  readonly after: Stretch;
}

/**
 * Divides what differs between two texts into stretches that can be read by themselves. Each reaches from behind an
 * unchanged line that starts with a closing brace, as functions and types end in the kernel's layout
 * (Documentation/process/coding-style.rst), or from behind an `#if` between two of them, up to and with the next such
 * line; outside of them the texts are equal.
 * @param hunks what differs, in order
 * @returns undefined where the whole has to be read: that is no more work, or an `#if` differs or reaches beyond a stretch
 */
export function changedRegions(
  before: LineIndex,
  after: LineIndex,
  hunks: readonly Hunk[],
): Region[] | undefined {
  if (hunks.some((hunk) => holdsCondition(before, hunk.before) || holdsCondition(after, hunk.after)))
    return undefined;
  const { lines } = before;
  const isEnd = (row: number) => lines[row]?.startsWith("}") === true;
  const regions: Region[] = [];
  let [end, read] = [0, 0];
  for (let at = 0, hunk = hunks[0]; hunk; hunk = hunks[++at]) {
    let start = firstRow(hunk.before);
    const shift = firstRow(hunk.after) - start;
    const changed = start;
    while (start > end && !isEnd(start - 1)) start--;
    let endAfter = 0;
    for (let isClosed = false; !isClosed; ) {
      end = endRow(hunk.before);
      endAfter = endRow(hunk.after);
      const next: Hunk | undefined = hunks[at + 1];
      const limit = next ? firstRow(next.before) : lines.length;
      for (; end < limit && !isClosed; end++, endAfter++) isClosed = isEnd(end);
      // It reaches up to the next difference, which belongs to it then.
      if (!isClosed && next) {
        hunk = next;
        at++;
      } else isClosed = true;
    }
    start = behindDirectives(lines, start, end);
    if (start > changed) return undefined;
    read += end - start;
    regions.push({ before: stretch(before, start, end), after: stretch(after, start + shift, endAfter) });
  }
  return read > lines.length * LARGEST_SHARE ? undefined : regions;
}

/** Read twice, before and after; of a whole file, the second reading costs next to nothing. */
const LARGEST_SHARE = 0.4;

/**
 * Where the lines that follow hold both ends of each `#if`, and begin with a declaration.
 * @returns `start`, or a row behind it; `end` when there is none
 */
function behindDirectives(lines: readonly string[], start: number, end: number): number {
  const open: number[] = [];
  let last: number | undefined;
  for (let row = start; row < end; row++) {
    const [, directive] = DIRECTIVE.exec(lines[row] ?? "") ?? [];
    if (directive === "if") open.push(row);
    else if (directive !== undefined && open.length === 0) last = row;
    else if (directive === "end") open.pop();
  }
  last = open.at(-1) ?? last;
  if (last === undefined) return start;
  const above = lines.slice(start, last).findLast((line) => /^\s*[^\s#]/.test(line));
  if (above !== undefined && !/(?:[;}]|\*\/)\s*$/.test(above)) return end;
  while (lines[last]?.endsWith("\\")) last++;
  return last + 1;
}

/** `#if`, `#ifdef`, `#else`, `#elif`, `#endif` and their like. */
const DIRECTIVE = /^\s*#\s*(if|el|end)/;

function holdsCondition(lines: LineIndex, side: Hunk["before"]): boolean {
  for (let row = firstRow(side); row < endRow(side); row++)
    // Its condition may go on in the lines behind it.
    for (let above = row; above === row || lines.lines[above]?.endsWith("\\"); above--)
      if (DIRECTIVE.test(lines.lines[above] ?? "")) return true;
  return false;
}

function stretch(lines: LineIndex, start: number, end: number): Stretch {
  const last = lines.lines.length - 1;
  const isWhole = end > last;
  return {
    startIndex: lines.offsetOf(start),
    endIndex: lines.offsetOf(end),
    startPosition: { row: start, column: 0 },
    endPosition: isWhole ? { row: last, column: lines.lines[last]?.length ?? 0 } : { row: end, column: 0 },
  };
}
