import type { Finding } from "../review/finding.js";
import type { Review } from "../review/review.js";
import type { Severity } from "../rules/rule.js";
import { cut } from "./cut.js";
import { fingerprints } from "./fingerprints.js";
import { renderJson } from "./json.js";
import { printableLine } from "./printable.js";

const SEVERITY: Readonly<Record<Severity, "blocker" | "major" | "info">> = {
  unsafe: "blocker",
  "needs-review": "major",
  info: "info",
};
const LONGEST = 4_000;

/**
 * A review as GitLab's code quality report (https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format).
 * Every entry needs a file and a line there: what is about the whole patch stands at the beginning of its first file.
 */
export function renderReviewGitlab(review: Review): string {
  const prints = fingerprints(review.findings);
  const [first = "."] = review.patch.files;
  const entries = review.findings.map((finding, at) => ({
    check_name: finding.rule,
    description: cut(printableLine(description(finding)), LONGEST),
    fingerprint: prints[at] ?? "",
    severity: finding.suppressed ? "info" : SEVERITY[finding.severity],
    location: {
      path: printableLine(finding.file ?? first),
      lines: { begin: finding.line ?? 1, ...(finding.endLine !== null && { end: finding.endLine }) },
    },
  }));
  return renderJson(entries);
}

function description({ severity, message, why, remedy, suppressed }: Finding): string {
  const aside = suppressed && `, set aside by the author (${suppressed.reason})`;
  return `${severity}${aside ?? ""}: ${message}. ${why} ${remedy}`;
}
