import { placeOf } from "../render/place.js";
import type { Finding } from "../review/finding.js";
import type { RuleCase } from "../rules/case-file.js";
import type { Rule } from "../rules/rule.js";

/** A case of a rule and what the rule says of it. */
export interface JudgedCase {
  readonly one: RuleCase;
  readonly findings: readonly Finding[];
}

/** The page of one rule: what trips it, why, what to do; a patch that trips it, and the same patch made safe. */
export function rulePage(rule: Rule, cases: readonly JudgedCase[]): string {
  const parts = [
    `# ${rule.id}`,
    NOTICE,
    `${rule.summary.charAt(0).toUpperCase()}${rule.summary.slice(1)}.`,
    `- Severity: ${rule.severity}${cases.some(({ findings }) => findings.some(({ severity }) => severity !== rule.severity)) ? " (a single case may weigh differently)" : ""}\n- Seen by: ${rule.witnesses.join(", ")}`,
    rule.why,
    `**What to do.** ${rule.remedy}`,
  ];
  const trips = cases.find(({ one }) => one.shown === "trips");
  const safe = cases.find(({ one }) => one.shown === "safe");
  if (trips) {
    parts.push(`## A patch that trips it: ${trips.one.title}`, fenced("diff", diffOf(trips.one)));
    if (trips.findings.length > 0)
      parts.push("`hotpatch check` says:", fenced("text", trips.findings.map(told).join("\n")));
    const fix = trips.findings.flatMap(({ fixes }) => fixes ?? [])[0];
    if (fix) parts.push(`An editor can do this: ${fix.title.charAt(0).toLowerCase()}${fix.title.slice(1)}.`);
  }
  if (safe) parts.push(`## The same made safe: ${safe.one.title}`, fenced("diff", diffOf(safe.one)));
  if (rule.sources && rule.sources.length > 0)
    parts.push(`## Sources\n\n${rule.sources.map((source) => `- ${source}`).join("\n")}`);
  parts.push(
    `If you know better, say so in a comment at the place: \`hotpatch-ignore: ${rule.id} REASON\`. It stays visible in the review.`,
  );
  return `${parts.join("\n\n")}\n`;
}

const NOTICE = "<!-- Written by `npm run generate` from `server/src/rules`; do not edit. -->";

function told(finding: Finding): string {
  return `${placeOf(finding)}: ${finding.severity}: ${finding.message}`;
}

function diffOf({ files }: RuleCase): string {
  return files
    .map(({ path, marked }) => `--- ${path}\n${marked.map((line) => line.trimEnd()).join("\n")}`)
    .join("\n");
}

function fenced(language: string, text: string): string {
  return `\`\`\`${language}\n${text}\n\`\`\``;
}
