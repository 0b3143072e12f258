import type { Finding } from "../review/finding.js";
import { SEVERITIES } from "../rules/rule.js";

/** Findings as they are best read: the heaviest first, then by file and line; those about no file last. */
export function readingOrder(findings: readonly Finding[]): Finding[] {
  return findings.toSorted(
    (a, b) =>
      SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) ||
      compare(a.file, b.file) ||
      compare(a.line, b.line) ||
      compare(a.column, b.column),
  );
}

function compare<T extends string | number>(a: T | null, b: T | null): number {
  if (a === b) return 0;
  if (a === null || b === null) return a === null ? 1 : -1;
  return a < b ? -1 : 1;
}
