import { type Hover, MarkupKind, type Position, type Range } from "vscode-languageserver/node";
import { printable } from "../render/printable.js";
import type { Finding } from "../review/finding.js";
import { type ChangedFunction, changedFunctionsOf } from "./changed-functions.js";
import { summaryOf } from "./code-lenses.js";
import { pageOf } from "./diagnostics.js";
import type { KernelTree, OpenFile } from "./kernel-tree.js";
import { overlaps, rangeOf } from "./places.js";

/** Lines of a compiler's message or a log that a hover shows. */
const EVIDENCE_LINES = 20;

/** Why what is found in a place matters, what to do about it, and what the objects show; nothing in other places. */
export function hoverOf(tree: KernelTree, file: OpenFile, position: Position): Hover | undefined {
  const lines = file.changed?.after?.lines;
  const at: Range = { start: position, end: position };
  const found = tree.findingsOf(file).filter((finding) => overlaps(rangeOf(finding, lines), at));
  const changed = changedFunctionsOf(tree, file).find(
    ({ item }) => lines && overlaps(rangeOf(lines.place(file.path, item.nameStart, item.nameEnd), lines), at),
  );
  const parts = [...(changed ? [functionText(changed)] : []), ...found.map(findingText)];
  if (parts.length === 0) return undefined;
  return { contents: { kind: MarkupKind.Markdown, value: parts.join("\n\n---\n\n") } };
}

function functionText(changed: ChangedFunction): string {
  const { name, object, inlinedInto } = changed;
  const unasked = object === undefined ? "  \nThe objects have not been asked since it was edited." : "";
  const callers =
    inlinedInto.length > 0 ? `  \nInlined into ${inlinedInto.map((other) => code(other)).join(", ")}.` : "";
  return `**hot patch** ${code(name)}: ${summaryOf(changed)}${callers}${unasked}`;
}

function findingText(finding: Finding): string {
  const { rule, severity, message, why, remedy, detail, confirmed, contradicted, suppressed } = finding;
  const page = pageOf(rule);
  const evidence = detail?.split("\n").slice(0, EVIDENCE_LINES).join("\n");
  return [
    `**${severity}** ${page === undefined ? code(rule) : `[${code(rule)}](${page})`}: ${plain(message)}`,
    ...(suppressed ? [`Suppressed: ${plain(suppressed.reason)}`] : []),
    plain(why),
    `**What to do:** ${plain(remedy)}`,
    ...(confirmed ? ["The compiled objects show it, too."] : []),
    ...(contradicted ? [plain(contradicted.message)] : []),
    ...(evidence === undefined
      ? []
      : [`\`\`\`text\n${printable(evidence).replaceAll("```", "'''")}\n\`\`\``]),
  ].join("\n\n");
}

/** Text of patches and kernels is not to be read as Markdown. */
function plain(text: string): string {
  return printable(text).replace(/[\\`*_{}[\]<>#|~!]/g, "\\$&");
}

function code(text: string): string {
  return `\`${printable(text).replaceAll("`", "'")}\``;
}
