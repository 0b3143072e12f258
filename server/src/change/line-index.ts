import type { Place } from "./place.js";

/** Finds lines and columns, both from 1, of offsets in a text. */
export interface LineIndex {
  /** Lines without their ends. */
  readonly lines: readonly string[];
  lineAt(offset: number): number;
  /** Where a line begins. @param row counts from 0; behind the last line it is the text's length */
  offsetOf(row: number): number;
  place(file: string, start: number, end: number): Place;
}

export function lineIndex(text: string): LineIndex {
  const lines = text.split("\n");
  const starts = new Array<number>(lines.length);
  let offset = 0;
  for (let index = 0; index < lines.length; index++) {
    starts[index] = offset;
    offset += (lines[index] ?? "").length + 1;
  }
  const lineAt = (wanted: number): number => {
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= wanted) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  };
  const columnAt = (line: number, wanted: number) => wanted - (starts[line - 1] ?? 0) + 1;
  return {
    lines,
    lineAt,
    offsetOf: (row) => starts[row] ?? text.length,
    place: (file, start, end) => {
      const [line, endLine] = [lineAt(start), lineAt(end)];
      return { file, line, column: columnAt(line, start), endLine, endColumn: columnAt(endLine, end) };
    },
  };
}

/** A line as a place, without the blanks around it. @param line counts from 1 */
export function placeOfLine({ lines }: LineIndex, file: string, line: number): Place {
  const text = lines[line - 1] ?? "";
  const column = text.search(/\S/) + 1 || 1;
  return { file, line, column, endLine: line, endColumn: text.trimEnd().length + 1 };
}
