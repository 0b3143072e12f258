import { printable } from "./printable.js";

/** The first `limit` lines, printable, without empty ones at the ends; a last line says how many were left out. */
export function excerpt(lines: readonly string[], limit: number): string[] {
  const text = lines.join("\n").replace(/^\n+|\s+$/g, "");
  if (text === "") return [];
  const all = printable(text).split("\n");
  if (all.length <= limit) return all;
  return [...all.slice(0, limit), `… ${all.length - limit} more lines`];
}

/** Lines shown of what one step in the guest printed. */
export const LINES_OF_A_STEP = 8;
