import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Diagnostic, DiagnosticSeverity, DiagnosticTag, type Range } from "vscode-languageserver/node";
import type { LineIndex } from "../change/line-index.js";
import type { Finding } from "../review/finding.js";
import type { Severity } from "../rules/rule.js";
import { type KernelTree, LONGEST_TEXT, type OpenFile } from "./kernel-tree.js";
import { rangeOf, uriIn, uriOfPath } from "./places.js";

const SOURCE = "hotpatch";
const AT_TOP: Range = { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } };

const SEVERITY: Readonly<Record<Severity, DiagnosticSeverity>> = {
  unsafe: DiagnosticSeverity.Error,
  "needs-review": DiagnosticSeverity.Warning,
  info: DiagnosticSeverity.Information,
};

/** Everything that an editor is to show of a file. */
export function diagnosticsOf(tree: KernelTree, file: OpenFile): Diagnostic[] {
  const lines = file.changed?.after?.lines;
  const diagnostics = tree.findingsOf(file).map((finding) => diagnosticOf(finding, tree.root, lines));
  if (file.text.length > LONGEST_TEXT)
    diagnostics.push(
      remark(`longer than ${LONGEST_TEXT / 1024 / 1024} MiB: not analysed here; 'hotpatch check' reads it`),
    );
  if (file.changed)
    for (const trouble of tree.troubles)
      diagnostics.push(remark(`not everything could be looked up: ${trouble.split("\n")[0]}`));
  return diagnostics;
}

/** Says at the top of a file why it is not, or not wholly, analysed. */
export function remark(message: string): Diagnostic {
  return { range: AT_TOP, severity: DiagnosticSeverity.Information, source: SOURCE, message };
}

/** @param lines of the finding's file */
export function diagnosticOf(finding: Finding, root: string, lines: LineIndex | undefined): Diagnostic {
  const page = pageOf(finding.rule);
  const related = finding.related.flatMap(({ message, ...place }) =>
    place.file === null
      ? []
      : [{ location: { uri: uriIn(root, place.file), range: rangeOf(place) }, message }],
  );
  return {
    range: rangeOf(finding, lines),
    severity: finding.suppressed ? DiagnosticSeverity.Hint : SEVERITY[finding.severity],
    source: SOURCE,
    code: finding.rule,
    ...(page !== undefined && { codeDescription: { href: page } }),
    message: messageOf(finding),
    ...(related.length > 0 && { relatedInformation: related }),
    ...((finding.suppressed || finding.rule === "compiled-out") && { tags: [DiagnosticTag.Unnecessary] }),
  };
}

function messageOf({ message, suppressed, confirmed, contradicted }: Finding): string {
  const seen = confirmed
    ? " (the compiled objects show it)"
    : contradicted
      ? ` (${contradicted.message})`
      : "";
  return suppressed ? `suppressed: ${message} (${suppressed.reason})` : `${message}${seen}`;
}

/** The rule's page, where it is installed. */
export function pageOf(rule: string): string | undefined {
  const known = pages.get(rule);
  if (known !== undefined || pages.has(rule)) return known;
  const path = fileURLToPath(new URL(`../../../docs/rules/${rule}.md`, import.meta.url));
  const page = existsSync(path) ? uriOfPath(path) : undefined;
  pages.set(rule, page);
  return page;
}

const pages = new Map<string, string | undefined>();
