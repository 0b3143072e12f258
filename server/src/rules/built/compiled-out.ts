import type { ChangedFile, Hunk, ItemChange } from "../../change/change-set.js";
import type { Item, SourceFile } from "../../change/item.js";
import { tokensOf } from "../../change/tokens.js";
import type { SourceRule } from "../inspection.js";

/** @see docs/rules/compiled-out.md */
export const compiledOut: SourceRule = {
  id: "compiled-out",
  severity: "needs-review",
  witnesses: ["source", "object"],
  summary: "the changed lines are removed by the configuration",
  why: "The change has no effect on this kernel, so a hot patch would fix nothing.",
  remedy: "Check that this kernel is affected at all; the condition around the change tells.",
  sources: ["Documentation/process/coding-style.rst, Conditional Compilation"],
  *check({ file, changes }) {
    if (file.kind.role === "other" || !file.before || !file.after) return;
    const out = file.changes.flatMap((change) => {
      const conditions = conditionsThatRemove(file, change);
      return conditions === undefined ? [] : [{ change, conditions }];
    });
    const [first] = out;
    if (!first) return;
    const { change, conditions } = first;
    const others = out.length > 1 ? ` and ${out.length - 1} more` : "";
    const isWhole = out.length === file.changes.length;
    const isOnly = isWhole && !changes.files.some((other) => other !== file && hasEffect(other));
    yield {
      at: change.place,
      symbol: change.name,
      ...(isOnly ? {} : { severity: "info" as const }),
      message: `${isWhole ? `nothing that changes in ${file.path} is compiled: ` : ""}'${change.name}'${others} ${others === "" ? "changes" : "change"} ${isWhole ? "" : "only "}under ${shown(conditions)}, which this configuration does not meet`,
      ...(others !== "" && {
        related: out.slice(1, 9).map((other) => ({
          at: other.change.place,
          message: `'${other.change.name}' changes under ${shown(other.conditions)}`,
        })),
      }),
    };
  },
};

/** Whether some change of a file may be compiled. */
function hasEffect(file: ChangedFile): boolean {
  return file.changes.some((change) => conditionsThatRemove(file, change) === undefined);
}

/** The conditions of an item's changed lines when the configuration keeps none of them. */
function conditionsThatRemove(file: ChangedFile, change: ItemChange): readonly string[] | undefined {
  const { before, after } = change;
  const item = after ?? before;
  if ((!before || before.kept === "no") && (!after || after.kept === "no")) return item?.conditions;
  // A branch of an item that is kept: only within one that is there on both sides.
  if (!before || !after || before.conditions.join("\n") !== after.conditions.join("\n")) return undefined;
  const lines = [
    ...changedLines(file.before, before, file.hunks, "before"),
    ...changedLines(file.after, after, file.hunks, "after"),
  ];
  if (lines.length === 0 || lines.some(({ kept, isDirective }) => kept !== "no" || isDirective))
    return undefined;
  return lines[0]?.conditions;
}

interface ChangedLine extends Pick<Item, "conditions" | "kept"> {
  readonly isDirective: boolean;
}

/** The changed lines of an item that hold more than blanks and comments. */
function changedLines(
  source: SourceFile | undefined,
  item: Item,
  hunks: readonly Hunk[],
  side: "before" | "after",
): ChangedLine[] {
  if (!source) return [];
  const changed = new Set<number>();
  for (const { [side]: hunk } of hunks)
    for (let line = Math.max(hunk.start, item.line); line < hunk.start + hunk.count; line++)
      if (line <= item.endLine) changed.add(line);
  if (changed.size === 0) return [];
  const coded = new Set(
    tokensOf(source.text.slice(item.start, item.end)).map(({ start }) =>
      source.lines.lineAt(item.start + start),
    ),
  );
  return [...changed]
    .filter((line) => coded.has(line))
    .map((line) => ({
      ...source.conditionsAt(line),
      isDirective: /^\s*#/.test(source.lines.lines[line - 1] ?? ""),
    }));
}

function shown(conditions: readonly string[]): string {
  const whole = conditions.join(" && ");
  return whole === "" ? "a condition" : `'${whole.length > 80 ? `${whole.slice(0, 80)}…` : whole}'`;
}
