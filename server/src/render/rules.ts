import type { Rule } from "../rules/rule.js";
import type { Colors } from "./colors.js";
import { wrapped } from "./wrapped.js";

/** A line a rule: severity, id, what trips it. */
export function renderRuleList(rules: readonly Rule[], colors: Colors): string {
  const width = Math.max(...rules.map((rule) => rule.id.length));
  return rules
    .map(
      (rule) =>
        `${colors.severity[rule.severity](rule.severity.padEnd(12))} ${rule.id.padEnd(width)}  ${rule.summary}\n`,
    )
    .join("");
}

/** All that is known of one rule. */
export function renderRuleText(rule: Rule, colors: Colors): string {
  return `${[
    `${colors.bold(rule.id)}: ${colors.severity[rule.severity](rule.severity)}, seen by: ${rule.witnesses.join(", ")}`,
    ...wrapped(rule.summary, "  "),
    "",
    ...wrapped(`why: ${rule.why}`, "  "),
    ...wrapped(`remedy: ${rule.remedy}`, "  "),
  ].join("\n")}\n`;
}

/** The page `docs/rules.md`: every rule with a line, and a page of its own. */
export function renderRulesPage(rules: readonly Rule[]): string {
  const rows = rules
    .toSorted((a, b) => a.id.localeCompare(b.id))
    .map(
      (rule) =>
        `| [${rule.id}](rules/${rule.id}.md) | ${rule.severity} | ${rule.witnesses.join(", ")} | ${rule.summary} |`,
    );
  return `${[
    "# Rules",
    "",
    "Written by `npm run generate` from `server/src/rules`; do not edit.",
    "A witness may weigh a single case differently from the severity given here.",
    "",
    "| rule | severity | seen by | trips when |",
    "| --- | --- | --- | --- |",
    ...rows,
  ].join("\n")}\n`;
}
