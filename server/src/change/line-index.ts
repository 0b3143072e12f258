import type { Place } from "./place.js";

/** Finds lines and columns, both from 1, of offsets in a text. */
export class LineIndex {
  readonly text: string;
  readonly #starts: Uint32Array;
  #lines: readonly string[] | undefined;

  constructor(text: string) {
    this.text = text;
    let count = 1;
    for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", end + 1)) count++;
    this.#starts = new Uint32Array(count);
    let line = 1;
    for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", end + 1))
      this.#starts[line++] = end + 1;
  }

  /** All lines without their ends; held until {@link release}. */
  get lines(): readonly string[] {
    this.#lines ??= this.text.split("\n");
    return this.#lines;
  }

  /** One line without its end; empty when there is none. */
  line(number: number): string {
    const start = this.#starts[number - 1];
    return start === undefined
      ? ""
      : this.text.slice(start, this.#starts[number] ?? this.text.length + 1).replace(/\n$/, "");
  }

  lineAt(offset: number): number {
    let [low, high] = [0, this.#starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  }

  /** Where a line begins. @param row counts from 0; behind the last line it is the text's length */
  offsetOf(row: number): number {
    return this.#starts[row] ?? this.text.length;
  }

  place(file: string, start: number, end: number): Place {
    const [line, endLine] = [this.lineAt(start), this.lineAt(end)];
    const column = start - this.offsetOf(line - 1) + 1;
    return { file, line, column, endLine, endColumn: end - this.offsetOf(endLine - 1) + 1 };
  }

  /** Forgets what can be read again: of a large patch, every line by itself weighs more than the text. */
  release(): void {
    this.#lines = undefined;
  }
}

/** A line as a place, without the blanks around it. @param line counts from 1 */
export function placeOfLine(lines: LineIndex, file: string, line: number): Place {
  const text = lines.line(line);
  const column = text.search(/\S/) + 1 || 1;
  return { file, line, column, endLine: line, endColumn: text.trimEnd().length + 1 };
}
