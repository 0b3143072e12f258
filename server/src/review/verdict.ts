import { SEVERITIES, type Severity } from "../rules/rule.js";
import type { Finding } from "./finding.js";

export type Verdict = "safe" | "needs-review" | "unsafe";

type Weighed = Pick<Finding, "severity" | "suppressed">;

/** The verdict on a change: from its findings alone, and by the heaviest of those that were not suppressed. */
export function verdictOf(findings: readonly Weighed[]): Verdict {
  if (reaches(findings, "unsafe")) return "unsafe";
  return reaches(findings, "needs-review") ? "needs-review" : "safe";
}

/** Whether any finding that was not suppressed weighs at least `threshold`. */
export function reaches(findings: readonly Weighed[], threshold: Severity): boolean {
  const limit = SEVERITIES.indexOf(threshold);
  return findings.some((finding) => !finding.suppressed && SEVERITIES.indexOf(finding.severity) <= limit);
}

/** The heaviest first; among equals the order stays. */
export function heaviestFirst<T extends Weighed>(findings: readonly T[]): T[] {
  return findings.toSorted((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
}
