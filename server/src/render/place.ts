import type { Finding } from "../review/finding.js";

/** `file:line:column` as far as it is known; empty for a finding about the whole patch. */
export function placeOf({ file, line, column }: Finding): string {
  return [file, line, column].filter((part) => part !== null).join(":");
}
