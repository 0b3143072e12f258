import type { Finding } from "../review/finding.js";
import { placeOf } from "./place.js";

type Fix = NonNullable<Finding["fixes"]>[number];
type Edit = Fix["edits"][number];

/**
 * What a fix does, as a small diff: a place, then lines with `-` and `+`. Of the old lines only the finding's own is known
 * here; for edits elsewhere, the place says which stretch goes.
 */
export function fixDiff(finding: Finding, fix: Fix): string[] {
  const isOwn = (edit: Edit) =>
    finding.excerpt !== undefined &&
    edit.file === finding.file &&
    edit.line === finding.line &&
    edit.endLine === finding.line;
  const own = fix.edits.filter(isOwn);
  const lines: string[] = [];
  if (own.length > 0 && finding.excerpt) {
    const before = finding.excerpt.text;
    const after = own
      .toSorted((a, b) => b.column - a.column)
      .reduce(
        (text, edit) => text.slice(0, edit.column - 1) + edit.text + text.slice(edit.endColumn - 1),
        before,
      );
    lines.push(`@ ${finding.file}:${finding.line}`, `-${before}`, ...added(after));
  }
  for (const edit of fix.edits.filter((one) => !isOwn(one))) {
    const isInsertion = edit.line === edit.endLine && edit.column === edit.endColumn;
    const stretch = isInsertion ? placeOf(edit) : `${placeOf(edit)} to ${edit.endLine}:${edit.endColumn}`;
    lines.push(`@ ${stretch}`, ...added(edit.text));
  }
  return lines;
}

function added(text: string): string[] {
  if (text === "") return [];
  return text
    .replace(/\n$/, "")
    .split("\n")
    .map((line) => `+${line}`);
}
