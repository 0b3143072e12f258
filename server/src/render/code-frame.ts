import type { Finding } from "../review/finding.js";
import { printable } from "./printable.js";

/**
 * The code line that a finding means, with a marker under the stretch that is meant.
 *
 *       12 | static int limit = 2;
 *          |            ^~~~~
 *
 * Tabs stay, so that the marker fits on any terminal; a long line is cut around the marker.
 * @returns printable lines; none where the code is not known
 */
export function codeFrame({ excerpt, line, column, endLine, endColumn }: Finding): string[] {
  if (!excerpt || line === null) return [];
  const number = String(line).padStart(4);
  const gutter = `${" ".repeat(number.length)} |`;
  const { cells, at } = cellsOf(excerpt.text, column ?? 1);
  const end = endLine === line && endColumn !== null ? endColumn : Number.POSITIVE_INFINITY;
  const from = Math.max(0, at - BEFORE);
  const kept = cells.slice(from, from + COLUMNS);
  const before = from > 0 ? "…" : "";
  const after = from + COLUMNS < cells.length ? "…" : "";
  const code = `${number} | ${before}${kept.map(({ shown }) => shown).join("")}${after}`.trimEnd();
  if (column === null) return [code];
  const margin = kept
    .slice(0, at - from)
    .map(({ shown, width }) => (shown === "\t" ? "\t" : " ".repeat(width)));
  const meant = kept.slice(at - from).filter(({ column: own }) => own < end);
  const width = meant.reduce((sum, cell) => sum + cell.width, 0);
  return [code, `${gutter} ${before && " "}${margin.join("")}^${"~".repeat(Math.max(0, width - 1))}`];
}

const COLUMNS = 100;
/** Characters left in front of the marker when a line is cut. */
const BEFORE = 40;

interface Cell {
  readonly shown: string;
  readonly width: number;
  /** Of its first UTF-16 unit; counts from 1. */
  readonly column: number;
}

/** @returns the characters of a line as they are shown, and which of them stands at the column */
function cellsOf(text: string, column: number): { cells: Cell[]; at: number } {
  const cells: Cell[] = [];
  let own = 1;
  for (const character of text) {
    const shown = printable(character);
    cells.push({ shown, width: shown === character ? widthOf(character) : shown.length, column: own });
    own += character.length;
  }
  const found = cells.findIndex((cell) => cell.column >= column);
  return { cells, at: found === -1 ? cells.length : found };
}

/** Unicode's East Asian Width W and F, by blocks. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

function widthOf(character: string): number {
  if (/\p{M}/u.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
