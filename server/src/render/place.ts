import type { Finding } from "../review/finding.js";

/** `file:line:column` as far as it is known; empty for what is about the whole patch. */
export function placeOf({ file, line, column }: Pick<Finding, "file" | "line" | "column">): string {
  return [file, line, column].filter((part) => part !== null).join(":");
}
