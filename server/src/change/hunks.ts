import { diffArrays } from "diff";
import type { Hunk } from "./change-set.js";

/**
 * The stretches of lines in which two texts differ.
 * @param before lines of the text before, without their ends
 * @param after lines of the text after
 */
export function hunksBetween(before: readonly string[], after: readonly string[]): Hunk[] {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) head++;
  let tail = 0;
  while (tail < shorter - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++;
  const middle = [before.slice(head, before.length - tail), after.slice(head, after.length - tail)] as const;
  if (middle[0].length === 0 && middle[1].length === 0) return [];
  const whole = hunk(head, middle[0].length, head, middle[1].length);
  if (middle[0].length === 0 || middle[1].length === 0) return [whole];

  // What differs in thousands of lines is one stretch: no rule gains from telling its equal lines apart.
  const parts = diffArrays([...middle[0]], [...middle[1]], { maxEditLength: MAX_EDITS });
  if (!parts) return [whole];
  const hunks: Hunk[] = [];
  let [old, now] = [head, head];
  let open: { old: number; now: number } | undefined;
  const close = () => {
    if (open) hunks.push(hunk(open.old, old - open.old, open.now, now - open.now));
    open = undefined;
  };
  for (const { added, removed, count } of parts) {
    if (!added && !removed) close();
    else open ??= { old, now };
    if (!added) old += count;
    if (!removed) now += count;
  }
  close();
  return hunks;
}

const MAX_EDITS = 2000;

/** @param old lines in front of it before @param now lines in front of it after */
function hunk(old: number, oldCount: number, now: number, nowCount: number): Hunk {
  return {
    before: { start: oldCount === 0 ? old : old + 1, count: oldCount },
    after: { start: nowCount === 0 ? now : now + 1, count: nowCount },
  };
}

/** The first line of one side, counted from 0; of an empty side the line that it stands in front of. */
export function firstRow({ start, count }: Hunk["before"]): number {
  return count === 0 ? start : start - 1;
}

/** The line behind the last one of one side, counted from 0. */
export function endRow(side: Hunk["before"]): number {
  return firstRow(side) + side.count;
}

/**
 * Where a line of the text before is in the text after.
 * @param line counts from 1
 * @returns the same line where it is still there; for one that is gone the place it was taken from
 */
export function lineAfter(hunks: readonly Hunk[], line: number): number {
  let shift = 0;
  for (const { before, after } of hunks) {
    const first = before.count === 0 ? before.start + 1 : before.start;
    if (line < first) break;
    if (line < first + before.count) return after.count === 0 ? Math.max(1, after.start) : after.start;
    shift += after.count - before.count;
  }
  return Math.max(1, line + shift);
}

/** Whether lines `first` to `last` of the text after hold anything that differs. */
export function touches(hunks: readonly Hunk[], first: number, last: number): boolean {
  return hunks.some(({ after: { start, count } }) =>
    count === 0 ? start >= first - 1 && start <= last : start <= last && start + count - 1 >= first,
  );
}
