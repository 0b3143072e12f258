/** A stretch of a file, lines and columns counted from 1, columns in UTF-16 units; the end column is the one behind the last character. */
export interface Place {
  /** Relative to the root of the kernel tree. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
}
