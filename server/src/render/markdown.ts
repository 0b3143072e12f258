import type { Finding } from "../review/finding.js";
import type { Review } from "../review/review.js";
import { codeFrame } from "./code-frame.js";
import { stepExcerpt } from "./excerpt.js";
import { fixDiff } from "./fix-diff.js";
import { cell, code, fenced, prose } from "./markdown-text.js";
import { placeOf } from "./place.js";
import { readingOrder } from "./reading-order.js";
import { runPreStatement } from "./run-pre-statement.js";

/** A review as Markdown, for a pull request or a mail archive; nothing in it can leave its place as text. */
export function renderReviewMarkdown(review: Review): string {
  const { kernel, patch, module, runPre, sandbox, findings } = review;
  const parts = [
    `## Hot patch review: ${review.verdict}`,
    `Kernel ${code(kernel.id)} (${code(kernel.release)}, ${kernel.arch}); patched: ${patch.files.map(code).join(", ")}.`,
  ];
  if (findings.length > 0) parts.push("### Findings", readingOrder(findings).map(findingItem).join("\n\n"));
  if (runPre) parts.push(`${runPreStatement(runPre)}.`);
  if (module) {
    const rows = [
      ...module.functions.map(
        ({ object, name, sympos }) => `| ${cell(object)} | ${cell(name)} | ${sympos} |`,
      ),
      ...module.callbacks.map(
        ({ object, name, kind }) =>
          `| ${cell(object)} | ${cell(name)} | ${kind.replace("_", "-")} callback |`,
      ),
    ];
    const way = module.replace ? "replaces earlier patches" : "added to earlier patches";
    parts.push(
      `### Carried by ${code(module.path)} (${module.backend}, ${way})`,
      ["| object | function | sympos |", "| --- | --- | --- |", ...rows].join("\n"),
    );
  }
  if (sandbox) {
    const steps = sandbox.steps.flatMap((step) => [
      `${step.outcome.padEnd(7)} ${step.name}`,
      ...stepExcerpt(step).map((line) => `        ${line}`),
    ]);
    parts.push(
      `### Sandbox: ${sandbox.outcome}, ${sandbox.accelerator}, ${sandbox.seconds.toFixed(1)} s`,
      fenced(steps.join("\n")),
    );
  }
  return `${parts.join("\n\n")}\n`;
}

const MOST_RELATED = 10;

/** A finding with all that is known of it, as an item of a list. */
export function findingItem(finding: Finding): string {
  const place = placeOf(finding);
  const lines = [
    `- **${finding.severity}** ${code(finding.rule)}${place ? ` at ${code(place)}` : ""}: ${prose(finding.message)}`,
    `  - why: ${prose(finding.why)}`,
    `  - remedy: ${prose(finding.remedy)}`,
  ];
  if (finding.suppressed) lines.push(`  - suppressed: ${prose(finding.suppressed.reason)}`);
  for (const other of finding.related.slice(0, MOST_RELATED))
    lines.push(`  - ${placeOf(other) ? `${code(placeOf(other))}: ` : ""}${prose(other.message)}`);
  const blocks = [
    fenced(codeFrame(finding).join("\n"), "c"),
    fenced(finding.detail ?? ""),
    ...(finding.fixes ?? []).flatMap((fix) => [
      `fix: ${prose(fix.title)}`,
      fenced(fixDiff(finding, fix).join("\n"), "diff"),
    ]),
  ];
  for (const block of blocks) if (block !== "") lines.push("", block.replaceAll(/^/gm, "  "));
  return lines.join("\n");
}
