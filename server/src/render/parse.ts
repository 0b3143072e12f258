import type { ParseReport } from "../syntax/parse-files.js";
import type { Colors } from "./colors.js";
import { printableLine } from "./printable.js";

/** A line an error, as compilers print them, and how many files are clean. */
export function renderParseText(report: ParseReport, colors: Colors): string {
  const lines = report.errors.map(({ file, line, column, kind, text }) => {
    const what = kind === "missing" ? `expected ${text}` : `cannot read: ${text}`;
    return `${colors.bold(`${printableLine(file)}:${line}:${column}:`)} ${printableLine(what)}\n`;
  });
  return `${lines.join("")}${report.clean} of ${report.files} files read without an error\n`;
}
