import { join, relative, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Range } from "vscode-languageserver/node";
import type { LineIndex } from "../change/line-index.js";
import type { Location } from "../review/finding.js";

/** A place as findings tell it; lines and columns count from 1. */
type Counted = Pick<Location, "line" | "column" | "endLine" | "endColumn">;

/**
 * A finding's place as editors count: from 0.
 * @param lines of its file; without them a place that names a line only is of no length
 */
export function rangeOf({ line, column, endLine, endColumn }: Counted, lines?: LineIndex): Range {
  if (line === null) return { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } };
  const text = lines?.line(line) ?? "";
  const start = column ?? text.search(/\S/) + 1;
  const isLong = column === null || endColumn === null || (endLine === line && endColumn <= start);
  // Of a place without a length, the word that begins there.
  const word = column === null ? text.trimEnd().length : start - 1 + wordAt(text, start - 1);
  return {
    start: { line: line - 1, character: Math.max(0, start - 1) },
    end: isLong
      ? { line: line - 1, character: Math.max(word, start - 1) }
      : { line: (endLine ?? line) - 1, character: endColumn - 1 },
  };
}

function wordAt(text: string, offset: number): number {
  return /^\w*/.exec(text.slice(offset))?.[0].length ?? 0;
}

/** Path of a document on this machine's disk; undefined for any other document. */
export function pathOfUri(uri: string): string | undefined {
  if (!uri.startsWith("file:")) return undefined;
  try {
    return fileURLToPath(uri);
  } catch {
    return undefined;
  }
}

export function uriOfPath(path: string): string {
  return pathToFileURL(path).href;
}

/** The document of a file of a kernel tree. */
export function uriIn(root: string, file: string): string {
  return uriOfPath(join(root, file));
}

/** A path as the kernel names it, relative to the root of its tree. */
export function pathIn(root: string, path: string): string {
  return relative(root, path).split(sep).join("/");
}

export function overlaps(a: Range, b: Range): boolean {
  return !isBefore(a.end, b.start) && !isBefore(b.end, a.start);
}

type Position = Range["start"];

function isBefore(a: Position, b: Position): boolean {
  return a.line < b.line || (a.line === b.line && a.character < b.character);
}
