import { fingerprints } from "../render/fingerprints.js";
import { readingOrder } from "../render/reading-order.js";
import type { Finding } from "../review/finding.js";
import type { Review } from "../review/review.js";
import { SEVERITIES } from "../rules/rule.js";

/** A finding, and on which of several kernels. */
export interface Found {
  readonly print: string;
  readonly finding: Finding;
  /** Ids of the kernels' profiles. */
  readonly kernels: readonly string[];
}

/** What the reviews of one patch on several kernels say, each finding once, the heaviest first. */
export function foundBy(reviews: readonly Review[]): Found[] {
  const found = new Map<string, Found>();
  for (const { findings, kernel } of reviews) {
    const prints = fingerprints(findings);
    for (const [at, finding] of findings.entries()) {
      const print = prints[at] ?? "";
      const known = found.get(print);
      found.set(print, {
        print,
        finding: known ? heavier(known.finding, finding) : finding,
        kernels: [...(known?.kernels ?? []), kernel.id],
      });
    }
  }
  const byFinding = new Map([...found.values()].map((one) => [one.finding, one]));
  return readingOrder([...byFinding.keys()]).flatMap((finding) => byFinding.get(finding) ?? []);
}

/** What one review sets aside or weighs less stands as the other has it. */
function heavier(a: Finding, b: Finding): Finding {
  if (a.suppressed || b.suppressed) return a.suppressed ? b : a;
  return SEVERITIES.indexOf(a.severity) <= SEVERITIES.indexOf(b.severity) ? a : b;
}
