import type { Finding } from "../review/finding.js";
import { SEVERITIES } from "../rules/rule.js";

/** How many findings of each weight there are, such as `1 unsafe, 2 suppressed`; empty for none. */
export function counts(findings: readonly Pick<Finding, "severity" | "suppressed">[]): string {
  const counting = findings.filter(({ suppressed }) => !suppressed);
  return [
    ...SEVERITIES.map((severity) => ({
      name: severity,
      count: counting.filter((finding) => finding.severity === severity).length,
    })),
    { name: "suppressed", count: findings.length - counting.length },
  ]
    .filter(({ count }) => count > 0)
    .map(({ name, count }) => `${count} ${name}`)
    .join(", ");
}
