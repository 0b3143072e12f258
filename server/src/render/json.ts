import { printable } from "./printable.js";

/** Any report as JSON, two spaces a level, ending in a newline; harmless on a terminal. */
export function renderJson(report: unknown): string {
  // JSON.stringify escapes C0 only; what `printable` does to the rest is JSON's own escape.
  return `${printable(JSON.stringify(report, null, 2))}\n`;
}
