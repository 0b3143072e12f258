import { counts } from "../render/counts.js";
import { findingItem } from "../render/markdown.js";
import { cell, code, prose } from "../render/markdown-text.js";
import { placeOf } from "../render/place.js";
import type { Finding } from "../review/finding.js";
import type { Review } from "../review/review.js";
import { verdictOf } from "../review/verdict.js";
import type { Found } from "./found.js";
import type { Surroundings } from "./plan.js";

const MARK = "<!-- hotpatch:summary -->";

/** Whether a comment of ours is the summary. */
export function isSummary(body: string): boolean {
  return body.startsWith(MARK);
}

export interface SummaryContent extends Surroundings {
  readonly reviews: readonly Review[];
  /** The commit that was reviewed. */
  readonly head: string;
  /** Every finding, once. */
  readonly found: readonly Found[];
  /** Those that stand in comments at their lines. */
  readonly inline: ReadonlySet<Found>;
}

const FORGEABLE = `> [!WARNING]
> This pull request changes workflows, or too many files to be sure that it does not. What it is reviewed with may be its
> own: read its changes of \`.github\` before you believe what stands here.`;

/** GitHub takes 65,536 characters. */
const LONGEST = 60_000;
const ROOM_FOR_FUNCTIONS = 10_000;

/** The one comment that says all of a review that is not said at lines of the diff. */
export function summaryComment(content: SummaryContent): string {
  const { reviews, head, found, inline, artifacts, isForgeable } = content;
  const findings = found.map(({ finding }) => finding);
  const summary = counts(findings);
  const counting = found.filter((one) => !one.finding.suppressed && !inline.has(one));
  const aside = findings.filter(({ suppressed }) => suppressed);
  const parts = [
    MARK,
    `## Hot patch review: ${verdictOf(findings)}`,
    ...(isForgeable ? [FORGEABLE] : []),
    `Commit ${code(head.slice(0, 12))}${summary && `: ${summary}`}.${inline.size > 0 ? ` ${inline.size} in comments at lines of the diff.` : ""}`,
    [...tableHead(KERNEL_COLUMNS), ...reviews.map((review) => tableRow(evidence(review)))].join("\n"),
    ...functionsTable(reviews),
    `[patch.ko, reports and console logs](${artifacts})`,
  ];
  const room = LONGEST - parts.join("\n\n").length;
  return `${[...parts, ...whatFits(lists(inline.size > 0 ? "Other findings" : "Findings", counting, aside), room)].join("\n\n")}\n`;
}

/** Made one by one: of thousands, few fit. */
function* lists(title: string, counting: readonly Found[], aside: readonly Finding[]): Generator<string> {
  if (counting.length > 0) yield `### ${title}`;
  for (const { finding } of counting) yield findingItem(finding);
  if (aside.length > 0) yield "### Set aside by the author";
  for (const { rule, suppressed, message, ...place } of aside)
    yield `- ${code(rule)}${placeOf(place) ? ` at ${code(placeOf(place))}` : ""}: ${prose(message)} (${prose(suppressed?.reason ?? "")})`;
}

/** Whole parts, in order, as long as there is room. */
function whatFits(parts: Iterable<string>, room: number): string[] {
  const fitting: string[] = [];
  let left = room;
  for (const part of parts) {
    left -= part.length + 2;
    if (left < 0) return [...fitting, "… and more, which the reports hold."];
    fitting.push(part);
  }
  return fitting;
}

const KERNEL_COLUMNS = ["kernel", "verdict", "asked", "objects", "run-pre", "sandbox"];

/** A cell for each of these columns. */
function evidence({ kernel, findings, witnesses, objects, runPre, sandbox }: Review): string[] {
  const carried = objects?.filter(({ outcome }) => outcome === "carried").length;
  const matched = runPre?.filter(({ outcome }) => outcome === "matched").length;
  const passed = sandbox?.steps.filter(({ outcome }) => outcome === "passed").length;
  return [
    `${cell(kernel.id)} (${kernel.arch})`,
    verdictOf(findings),
    witnesses.join(", "),
    objects ? `${carried} of ${objects.length} carried` : "–",
    runPre ? `${matched} of ${runPre.length} match` : "–",
    sandbox ? `${sandbox.outcome}, ${passed} of ${sandbox.steps.length} steps passed` : "–",
  ];
}

/** Which functions are redirected, and where: one row a function. */
function functionsTable(reviews: readonly Review[]): string[] {
  const functions = new Map<string, { object: string; name: string; on: Set<string> }>();
  for (const { kernel, module } of reviews)
    for (const { object, name } of module?.functions ?? []) {
      const key = `${object}\0${name}`;
      const known = functions.get(key) ?? { object, name, on: new Set() };
      functions.set(key, known);
      known.on.add(kernel.arch);
    }
  if (functions.size === 0) return [];
  const title = `<details><summary>${functions.size} redirected ${functions.size === 1 ? "function" : "functions"}</summary>`;
  const rows = whatFits(functionRows(functions.values()), ROOM_FOR_FUNCTIONS);
  return [`${title}\n\n${[...tableHead(["object", "function", "on"]), ...rows].join("\n")}\n\n</details>`];
}

function* functionRows(
  functions: Iterable<{ readonly object: string; readonly name: string; readonly on: ReadonlySet<string> }>,
): Generator<string> {
  for (const { object, name, on } of functions)
    yield tableRow([cell(object), cell(name), [...on].join(", ")]);
}

function tableHead(heads: readonly string[]): string[] {
  return [tableRow(heads), tableRow(heads.map(() => "---"))];
}

function tableRow(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}
