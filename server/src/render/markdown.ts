import type { Finding } from "../review/finding.js";
import type { Review } from "../review/review.js";
import { codeFrame } from "./code-frame.js";
import { stepExcerpt } from "./excerpt.js";
import { fixDiff } from "./fix-diff.js";
import { placeOf } from "./place.js";
import { printable, printableLine } from "./printable.js";
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

function findingItem(finding: Finding): string {
  const place = placeOf(finding);
  const lines = [
    `- **${finding.severity}** ${code(finding.rule)}${place ? ` at ${code(place)}` : ""}: ${prose(finding.message)}`,
    `  - why: ${prose(finding.why)}`,
    `  - remedy: ${prose(finding.remedy)}`,
  ];
  if (finding.suppressed) lines.push(`  - suppressed: ${prose(finding.suppressed.reason)}`);
  for (const other of finding.related)
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

/** Plain text: Markdown, HTML, mentions and references to issues lose their meaning. */
function prose(text: string): string {
  return printableLine(text)
    .replaceAll(/[\\`*_{}[\]()<>~|!&]/g, "\\$&")
    .replaceAll(/[@#](?=\w)/g, "$&<!-- -->");
}

/** A code span whose fence is longer than any run of backticks inside (CommonMark 6.1). */
function code(text: string): string {
  const inside = printableLine(text);
  const fence = "`".repeat(longestRun(inside) + 1);
  return longestRun(inside) > 0 ? `${fence} ${inside} ${fence}` : `${fence}${inside}${fence}`;
}

function cell(text: string): string {
  return code(text).replaceAll("|", "\\|");
}

/** A block of code; nothing for no text. */
function fenced(text: string, language = "text"): string {
  const inside = printable(text).trimEnd();
  if (inside === "") return "";
  const fence = "`".repeat(Math.max(3, longestRun(inside) + 1));
  return `${fence}${language}\n${inside}\n${fence}`;
}

function longestRun(text: string): number {
  return Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length));
}
