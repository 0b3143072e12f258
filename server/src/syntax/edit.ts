import type { Edit, Point } from "./tree.js";

/**
 * The edit that turns one text into another: what is between their common beginning and their common end.
 * @returns undefined when the texts are equal
 */
export function editBetween(before: string, after: string): Edit | undefined {
  if (before === after) return undefined;
  const shorter = Math.min(before.length, after.length);
  const start = commonLength(shorter, (from, to) => before.slice(from, to) === after.slice(from, to));
  const tail = commonLength(
    shorter - start,
    (from, to) =>
      before.slice(before.length - to, before.length - from) ===
      after.slice(after.length - to, after.length - from),
  );
  const oldEndIndex = before.length - tail;
  const newEndIndex = after.length - tail;
  const startPosition = pointAt(before, start, { row: 0, column: 0 }, 0);
  return {
    startIndex: start,
    oldEndIndex,
    newEndIndex,
    startPosition,
    oldEndPosition: pointAt(before, oldEndIndex, startPosition, start),
    newEndPosition: pointAt(after, newEndIndex, startPosition, start),
  };
}

/**
 * How far two texts are the same, by comparing pieces, which is far quicker than comparing characters.
 * @param isSame whether the stretch between two distances is
 */
function commonLength(limit: number, isSame: (from: number, to: number) => boolean): number {
  let length = 0;
  for (let piece = PIECE; piece >= 1; piece = Math.floor(piece / 2))
    while (length + piece <= limit && isSame(length, length + piece)) length += piece;
  return length;
}

const PIECE = 4096;

/** @param from a place before it, at offset `at` */
function pointAt(text: string, index: number, from: Point, at: number): Point {
  let row = from.row;
  let lineStart = at - from.column;
  for (let end = text.indexOf("\n", at); end !== -1 && end < index; end = text.indexOf("\n", lineStart)) {
    row++;
    lineStart = end + 1;
  }
  return { row, column: index - lineStart };
}
