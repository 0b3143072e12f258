import { fixDiff } from "../render/fix-diff.js";
import { code, fenced, prose } from "../render/markdown-text.js";
import { placeOf } from "../render/place.js";
import type { Finding } from "../review/finding.js";
import type { Suggestion } from "./suggestion.js";

/** What a comment of ours says of itself in its first line, which pages do not show. */
export interface Mark {
  /** `closed`: it stands there to be read, and is about nothing that is found now. */
  readonly state: "open" | "closed";
  readonly print: string;
}

/** @returns undefined for a comment that is none of ours */
export function markOf(body: string): Mark | undefined {
  const [, state, print] = /^<!-- hotpatch:(open|closed):([0-9a-f]{32}) -->/.exec(body) ?? [];
  return print === undefined ? undefined : { state: state === "open" ? "open" : "closed", print };
}

const marked = ({ state, print }: Mark, text: string) => `<!-- hotpatch:${state}:${print} -->\n${text}`;

const MOST_RELATED = 5;

/**
 * A comment at the line that a finding is about.
 * @param kernels that it was found on, when not on all that were asked
 */
export function openComment(
  print: string,
  finding: Finding,
  suggestion: Suggestion | undefined,
  kernels: readonly string[],
): string {
  const { severity, rule, message, why, remedy, related, detail, confirmed, contradicted } = finding;
  const parts = [
    `**${severity}** ${code(rule)}: ${prose(message)}`,
    prose(why),
    `**What to do:** ${prose(remedy)}`,
    related
      .slice(0, MOST_RELATED)
      .map((other) => `- ${placeOf(other) ? `${code(placeOf(other))}: ` : ""}${prose(other.message)}`)
      .join("\n"),
    fenced(detail ?? ""),
    suggestion ? `${prose(suggestion.title)}:\n\n${fenced(suggestion.text, "suggestion")}` : fixText(finding),
    confirmed ? `Confirmed by the ${confirmed.witness} witness.` : "",
    contradicted ? `The ${contradicted.witness} witness disagrees: ${prose(contradicted.message)}` : "",
    kernels.length > 0 ? `Only on ${kernels.map(code).join(", ")}.` : "",
  ];
  return marked({ state: "open", print }, parts.filter((part) => part !== "").join("\n\n"));
}

/** A fix that reaches beyond the lines around, for a person to make. */
function fixText(finding: Finding): string {
  const [fix] = finding.fixes ?? [];
  return fix ? `${prose(fix.title)}:\n\n${fenced(fixDiff(finding, fix).join("\n"), "diff")}` : "";
}

/** What takes the place of a comment whose finding is gone: why, and which it was. */
export function closedComment(print: string, body: string, reason: string): string {
  const [title = ""] = body.split(/\r?\n/).slice(1);
  return marked({ state: "closed", print }, `${reason} It said:\n\n> ${title}`);
}
