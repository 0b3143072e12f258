import type { ObjectDiff } from "@kernel-hotpatch/kernel/objdiff/report";
import type { Finding } from "../review/finding.js";
import type { Review, TestReport } from "../review/review.js";
import { codeFrame } from "./code-frame.js";
import type { Colors } from "./colors.js";
import { counts } from "./counts.js";
import { excerpt, stepExcerpt } from "./excerpt.js";
import { fixDiff } from "./fix-diff.js";
import { placeOf } from "./place.js";
import { printableLine } from "./printable.js";
import { readingOrder } from "./reading-order.js";
import { runPreStatement } from "./run-pre-statement.js";
import { wrapped } from "./wrapped.js";

const LINES_OF_DETAIL = 20;
const LINES_OF_FIX = 20;
const RELATED = 10;

/** A review for a person at a terminal: findings like a compiler's, what is carried, what ran, the verdict last. */
export function renderReviewText(review: Review, colors: Colors): string {
  const { kernel, patch } = review;
  return sections([
    [...wrapped(`patch: ${patch.files.map(printableLine).join(", ")}`, ""), kernelText(kernel)].join("\n"),
    ...readingOrder(review.findings).map((finding) => findingText(finding, colors)),
    (review.objects ?? []).map((object) => objectText(object)).join("\n"),
    review.runPre ? runPreStatement(review.runPre) : "",
    review.module ? moduleText(review.module) : "",
    review.sandbox ? sandboxText(review.sandbox, colors) : "",
    verdictText(review, colors),
  ]);
}

/** A sandbox run alone, in the same form. */
export function renderTestText(report: TestReport, colors: Colors): string {
  const { kernel, module } = report;
  return sections([
    `module: ${printableLine(module.path)}\n${kernelText(kernel)}`,
    ...readingOrder(report.findings).map((finding) => findingText(finding, colors)),
    sandboxText(report.sandbox, colors),
    verdictText(report, colors),
  ]);
}

/** The comparison of two objects alone. */
export function renderObjectDiffText(
  report: ObjectDiff,
  findings: readonly Finding[],
  colors: Colors,
): string {
  return sections([...findings.map((finding) => findingText(finding, colors)), objectText(report)]);
}

function kernelText({ id, release, arch }: Review["kernel"]): string {
  return printableLine(`kernel: ${id} (${release}, ${arch})`);
}

/** One finding: place, severity, message and rule on the first line, the rest indented below. */
function findingText(finding: Finding, colors: Colors): string {
  const place = placeOf(finding);
  const severity = colors.severity[finding.severity](finding.severity);
  const suppressed = finding.suppressed ? ` (suppressed: ${printableLine(finding.suppressed.reason)})` : "";
  return [
    `${colors.bold(place ? `${printableLine(place)}: ` : "")}${severity}: ${printableLine(finding.message)} ${colors.dim(`[${finding.rule}]`)}${suppressed}`,
    ...codeFrame(finding).map((line) => `    ${line}`),
    ...excerpt((finding.detail ?? "").split("\n"), LINES_OF_DETAIL).map((line) => `    | ${line}`),
    ...excerpt(finding.related.map(relatedText), RELATED).map((line) => `    ${line}`),
    ...wrapped(`why: ${finding.why}`, "    "),
    ...wrapped(`remedy: ${finding.remedy}`, "    "),
    ...(finding.fixes ?? []).flatMap((fix) => [
      ...wrapped(`fix: ${printableLine(fix.title)}`, "    "),
      ...excerpt(fixDiff(finding, fix), LINES_OF_FIX).map((line) => `        ${line}`),
    ]),
  ].join("\n");
}

function relatedText(other: Finding["related"][number]): string {
  return printableLine(`${placeOf(other) || "elsewhere"}: ${other.message}`);
}

/** One line for each object, and what it carries below. */
function objectText(object: ObjectDiff): string {
  const lists: [string, readonly string[]][] = [
    ["changed", object.changed],
    ["new", object.new],
    ["removed", object.removed],
    ["data", object.data.map(({ name, why }) => `${name} (${why})`)],
  ];
  return [
    `${printableLine(object.orig)}: ${object.outcome}`,
    ...lists
      .filter(([, names]) => names.length > 0)
      .flatMap(([label, names]) => wrapped(`${label}: ${names.map(printableLine).join(", ")}`, "    ")),
  ].join("\n");
}

function moduleText(module: NonNullable<Review["module"]>): string {
  const functions = module.functions.map(({ object, name, sympos }) => {
    const position = sympos > 0 ? `, ${sympos}` : "";
    return `    ${printableLine(`${object}: ${name}${position}`)}`;
  });
  const callbacks = module.callbacks.map(
    ({ object, kind, name }) =>
      `    ${printableLine(`${object}: ${kind.replace("_", "-")} callback ${name}`)}`,
  );
  const way = module.replace ? "replaces earlier patches" : "added to earlier patches";
  const does = functions.length > 0 ? "redirects" : "redirects nothing";
  return [
    `${printableLine(module.path)} (${module.backend}, ${way}) ${does}`,
    ...functions,
    ...callbacks,
  ].join("\n");
}

function sandboxText(run: NonNullable<Review["sandbox"]>, colors: Colors): string {
  const paint = { passed: colors.verdict.safe, failed: colors.verdict.unsafe, skipped: colors.dim };
  const steps = run.steps.flatMap((step) => [
    `    ${paint[step.outcome](step.outcome.padEnd(7))} ${printableLine(step.name)} ${colors.dim(`(${seconds(step.seconds)})`)}`,
    ...stepExcerpt(step).map((line) => `            ${line}`),
  ]);
  return [`sandbox: ${run.outcome}, ${run.accelerator}, ${seconds(run.seconds)}`, ...steps].join("\n");
}

function verdictText(report: Pick<Review, "verdict" | "findings">, colors: Colors): string {
  const summary = counts(report.findings);
  return `verdict: ${colors.verdict[report.verdict](report.verdict)}${summary && ` (${summary})`}`;
}

function sections(parts: readonly string[]): string {
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function seconds(value: number): string {
  return `${value.toFixed(1)} s`;
}
