import { cut } from "./cut.js";
import { printable, printableLine } from "./printable.js";

/** No sentence of ours comes near it; what a patch or a guest says may. */
const LONGEST_LINE = 1_000;
const LONGEST_BLOCK = 4_000;

/**
 * Foreign text as plain text in Markdown: markup, HTML, formulas, links, mentions and references to issues lose their
 * meaning (CommonMark 2.4; GitHub Flavored Markdown 6.9).
 */
export function prose(text: string): string {
  return short(printableLine, text, LONGEST_LINE)
    .replaceAll(/[\\`*_{}[\]()<>~|!&$]/g, "\\$&")
    .replaceAll(/:(?=\/\/)|(?<=\bwww)\./gi, "\\$&")
    .replaceAll(/[@#](?=\w)|(?<=\bGH)-(?=\d)/gi, "$&<!-- -->");
}

/** A code span whose fence is longer than any run of backticks inside (CommonMark 6.1). */
export function code(text: string): string {
  const inside = short(printableLine, text, LONGEST_LINE);
  const fence = "`".repeat(longestRun(inside) + 1);
  return longestRun(inside) > 0 ? `${fence} ${inside} ${fence}` : `${fence}${inside}${fence}`;
}

/** A code span in a table. */
export function cell(text: string): string {
  return code(text).replaceAll("|", "\\|");
}

/** A block of code; nothing for no text. */
export function fenced(text: string, language = "text"): string {
  const inside = short(printable, text, LONGEST_BLOCK).trimEnd();
  if (inside === "") return "";
  const fence = "`".repeat(Math.max(3, longestRun(inside) + 1));
  return `${fence}${language}\n${inside}\n${fence}`;
}

/** Escapes make a text longer: cut before, for the time it takes, and after. */
function short(shown: (text: string) => string, text: string, limit: number): string {
  return cut(shown(cut(text, limit)), limit);
}

function longestRun(text: string): number {
  return (text.match(/`+/g) ?? []).reduce((longest, run) => Math.max(longest, run.length), 0);
}
