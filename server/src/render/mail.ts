import type { Finding } from "../review/finding.js";
import type { Review } from "../review/review.js";
import { counts } from "./counts.js";
import { cut } from "./cut.js";
import { type DiffLine, lineOf, linesAfter } from "./diff-lines.js";
import { fixDiff } from "./fix-diff.js";
import { replyHeaders } from "./mail-headers.js";
import { placeOf } from "./place.js";
import { printable, printableLine } from "./printable.js";
import { readingOrder } from "./reading-order.js";
import { wrapped } from "./wrapped.js";

/** As kernel lists have it (Documentation/process/email-clients.rst: 72 or so). */
const WIDTH = 72;
/** Lines of a hunk that are quoted above the line that a finding is about. */
const BEFORE = 5;
/** In UTF-16 units; a line of a mail holds 998 bytes (RFC 5322, 2.1.1). */
const LONGEST_WORD = 200;
const LONGEST_TEXT = 2_000;
const LINES_OF_DETAIL = 20;
const MOST_RELATED = 10;

/**
 * A review as a mail in plain text that answers the patch: its lines are quoted, each finding stands below the line that it
 * is about, and what is about none of them comes last. It has no recipients; whoever sends it names them.
 * @param patches the texts that were reviewed; the reply is to the first of them
 */
export function renderReviewMail(review: Review, patches: readonly string[]): string {
  const quoted = patches.map((patch) => ({
    patch,
    lines: linesAfter(patch),
    below: new Map<number, Finding[]>(),
  }));
  const elsewhere: Finding[] = [];
  for (const finding of readingOrder(review.findings)) {
    const home = quoted
      .map(({ lines, below }) => ({ below, line: lineOf(finding, lines) }))
      .find(({ line }) => line !== undefined);
    if (home?.line) home.below.set(home.line.at, [...(home.below.get(home.line.at) ?? []), finding]);
    else elsewhere.push(finding);
  }
  const { kernel, tool, verdict, findings } = review;
  const summary = counts(findings);
  const parts = [
    printableLine(`Reviewed as a hot patch for ${kernel.id} (${kernel.arch}).`),
    `Verdict: ${verdict}${summary && ` (${summary})`}`,
    ...quoted.flatMap(({ patch, lines, below }) => quotation(patch.split("\n"), lines, below)),
    ...(elsewhere.length > 0
      ? ["Not about a line of the patch:", ...elsewhere.map((one) => findingText(one, true))]
      : []),
    `-- \n${tool.name} ${tool.version}`,
  ];
  return `${replyHeaders(patches[0] ?? "")}\n${parts.join("\n\n")}\n`;
}

/** The quoted lines of one patch, and below them what is found there; what nobody speaks of is left out. */
function quotation(
  patch: readonly string[],
  lines: readonly DiffLine[],
  below: ReadonlyMap<number, readonly Finding[]>,
): string[] {
  const parts: string[] = [];
  const about = lines.filter(({ at }) => below.has(at));
  let last = { file: "", hunkAt: -1, at: -1 };
  for (const { file, hunkAt, at } of about) {
    const quote: string[] = [];
    if (file !== last.file) quote.push(`+++ b/${file}`);
    if (hunkAt !== last.hunkAt || file !== last.file) quote.push(patch[hunkAt] ?? "");
    const end = hunkAt === last.hunkAt ? last.at : hunkAt;
    const start = Math.max(end + 1, at - BEFORE);
    if (start > end + 1) quote.push("[...]");
    quote.push(...patch.slice(start, at + 1));
    parts.push(
      quote
        .map((line) => `> ${cut(printableLine(line.replace(/\r$/, "")), LONGEST_WORD)}`.trimEnd())
        .join("\n"),
    );
    parts.push(...(below.get(at) ?? []).map((finding) => findingText(finding, false)));
    last = { file, hunkAt, at };
  }
  return parts;
}

function findingText(finding: Finding, isElsewhere: boolean): string {
  const { rule, severity, message, why, remedy, detail, related, fixes, suppressed } = finding;
  const place = isElsewhere ? placeOf(finding) : "";
  const say = (text: string, indent = "  ") => wrapped(tamed(text), indent, WIDTH);
  return [
    ...say(`${place && `${place}: `}${severity}: ${message} [${rule}]`, ""),
    ...(suppressed ? say(`set aside by the author: ${suppressed.reason}`) : []),
    ...related
      .slice(0, MOST_RELATED)
      .flatMap((other) => say(`${placeOf(other) || "elsewhere"}: ${other.message}`)),
    ...block(detail ?? ""),
    ...say(why),
    ...say(remedy),
    ...(fixes ?? []).flatMap((fix) => [...say(`${fix.title}:`), ...block(fixDiff(finding, fix).join("\n"))]),
  ].join("\n");
}

function block(text: string): string[] {
  const kept = text.replace(/^\n+|\s+$/g, "").split("\n");
  const shown = kept
    .slice(0, LINES_OF_DETAIL)
    .map((line) => `    ${cut(printable(line), LONGEST_WORD)}`.trimEnd());
  if (kept.length > LINES_OF_DETAIL) shown.push(`    [... ${kept.length - LINES_OF_DETAIL} more lines]`);
  return kept.join("") === "" ? [] : shown;
}

/** On one line, and so that it can be broken into lines that a mail can hold. */
function tamed(text: string): string {
  return printableLine(cut(text, LONGEST_TEXT)).replaceAll(/\S{200,}/g, (word) => cut(word, LONGEST_WORD));
}
