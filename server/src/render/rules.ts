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

/** The page `docs/rules.md`. */
export function renderRulesPage(rules: readonly Rule[]): string {
  const sections = rules.map(
    (rule) =>
      `## ${rule.id}\n\n${sentence(rule.summary)}\n\n- Severity: ${rule.severity}\n- Seen by: ${rule.witnesses.join(", ")}\n\n${rule.why}\n\n**What to do.** ${rule.remedy}\n`,
  );
  return `# Rules\n\nWritten by \`npm run generate\` from \`server/src/rules\`; do not edit.\nA witness may weigh a single case differently from the severity given here.\n\n${sections.join("\n")}`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
