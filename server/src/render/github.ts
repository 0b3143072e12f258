import type { Finding } from "../review/finding.js";
import type { Review } from "../review/review.js";
import type { Severity } from "../rules/rule.js";
import { counts } from "./counts.js";
import { printableLine } from "./printable.js";
import { readingOrder } from "./reading-order.js";
import { type Property, workflowCommand } from "./workflow-command.js";

const COMMANDS: Readonly<Record<Severity, string>> = {
  unsafe: "error",
  "needs-review": "warning",
  info: "notice",
};

/**
 * A review as workflow commands, a line each, that a runner of GitHub makes annotations of
 * (https://docs.github.com/actions/reference/workflow-commands-for-github-actions). GitHub shows ten of a kind for each step:
 * the heaviest come first.
 */
export function renderReviewGithub(review: Review): string {
  const summary = counts(review.findings);
  const lines = [
    ...readingOrder(review.findings).map(annotation),
    workflowCommand(
      "notice",
      [["title", `hot patch review for ${review.kernel.id}`]],
      `verdict: ${review.verdict}${summary && ` (${summary})`}`,
    ),
  ];
  return `${lines.join("\n")}\n`;
}

function annotation(finding: Finding): string {
  const { rule, severity, file, line, column, endLine, endColumn, message, why, remedy, suppressed } =
    finding;
  // Columns are only taken when they are on one line.
  const isOneLine = endLine === null || endLine === line;
  const place: Property[] =
    file === null
      ? []
      : [
          ["file", file],
          ["line", line],
          ["endLine", endLine],
          ["col", isOneLine ? column : null],
          ["endColumn", isOneLine && column !== null ? endColumn : null],
        ];
  return workflowCommand(
    suppressed ? "notice" : COMMANDS[severity],
    [...place, ["title", `${severity}: ${rule}${suppressed ? ", set aside by the author" : ""}`]],
    [message, suppressed && `set aside by the author: ${suppressed.reason}`, why, remedy]
      .filter((part) => part !== undefined)
      .map(printableLine)
      .join("\n"),
  );
}
