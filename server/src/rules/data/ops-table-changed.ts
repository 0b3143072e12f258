import { descendants } from "../../change/calls.js";
import type { ItemChange } from "../../change/change-set.js";
import { innermostName } from "../../change/describe.js";
import type { DataItem, Element, FunctionItem } from "../../change/item.js";
import { type LineIndex, placeOfLine } from "../../change/line-index.js";
import { mentions } from "../../change/tokens.js";
import type { Edit, Fix, Inspection, SourceFinding, SourceRule } from "../inspection.js";
import { codeText } from "./code-text.js";
import { dataChanges, holdsFunctions, sameValue } from "./live-data.js";

/** @see docs/rules/ops-table-changed.md */
export const opsTableChanged: SourceRule = {
  id: "ops-table-changed",
  severity: "unsafe",
  witnesses: ["source", "object"],
  summary: "a table of function pointers gained, lost or swapped a member",
  why: "The live table is what the kernel calls through, often read-only and already copied; a new table would be used by nobody.",
  remedy: "Branch inside a function that the table already points to, or in the code that reads it.",
  sources: ["Documentation/livepatch/livepatch.rst, section 4", "include/linux/fs.h"],
  *check(inspection) {
    const { file } = inspection;
    for (const { before, after, place, name } of dataChanges(inspection)) {
      if (!before || !after || !isTableChange({ before, after }, inspection)) continue;
      const differing = slotsThatDiffer(before, after);
      const [first] = differing;
      if (!first) continue;
      const line = first.after?.line;
      const at = line !== undefined && file.after ? placeOfLine(file.after.lines, file.path, line) : place;
      const fix = differing.length === 1 ? keepOldFunction(first, after, inspection) : undefined;
      yield {
        at,
        symbol: name,
        message: `${differing.slice(0, 3).map(said).join(", ")}${differing.length > 3 ? ` and ${differing.length - 3} more` : ""} in the live table '${name}'`,
        ...(fix && { fixes: [fix] }),
        related: readers(name, inspection),
      };
    }
  },
};

/** Whether a changed variable is the business of this rule and of no other. */
export function isTableChange(
  { before, after }: Pick<ItemChange<DataItem>, "before" | "after">,
  { file }: Pick<Inspection, "file">,
): boolean {
  if (!before || !after || sameValue(before, after) || before.type !== after.type) return false;
  return holdsFunctions(before, file.before) || holdsFunctions(after, file.after);
}

interface Slot {
  readonly name: string;
  readonly before?: Element;
  readonly after?: Element;
}

/** Designated slots by their designator, others by position. */
function slotsThatDiffer(before: DataItem, after: DataItem): Slot[] {
  const keyed = ({ elements }: DataItem) =>
    new Map(
      elements
        .filter(({ kept }) => kept !== "no")
        .map((element, at) => [element.designator || `entry ${at}`, element]),
    );
  const [old, now] = [keyed(before), keyed(after)];
  const slots: Slot[] = [];
  for (const [name, element] of now) {
    const was = old.get(name);
    if (was?.value !== element.value) slots.push({ name, after: element, ...(was && { before: was }) });
  }
  for (const [name, element] of old) if (!now.has(name)) slots.push({ name, before: element });
  return slots;
}

function said({ name, before, after }: Slot): string {
  const shown = ({ value }: Element) => (value.length > 40 ? "another value" : `'${codeText(value)}'`);
  const slot = name.startsWith("entry ") ? name : `'${name}'`;
  if (!before && after) return `${slot} is set to ${shown(after)}`;
  if (!after && before) return `${slot} is no longer ${shown(before)}`;
  if (!before || !after) return "";
  const [old, now] = [shown(before), shown(after)];
  return old === now ? `${slot} changes` : `${slot} becomes ${now} instead of ${old}`;
}

function readers(table: string, { facts }: Inspection): NonNullable<SourceFinding["related"]> {
  return facts
    .uses(table)
    .places.filter(
      ({ kind, within }) => within !== undefined && kind !== "definition" && kind !== "declaration",
    )
    .slice(0, 4)
    .map(({ file, line, column, within }) => ({
      at: { file, line, column, endLine: line, endColumn: column + table.length },
      message: `'${within}' takes the table here`,
    }));
}

/** Leaves the old function in its slot and has it call the new one. */
function keepOldFunction({ before, after }: Slot, table: DataItem, { file }: Inspection): Fix | undefined {
  if (!before || !after || !file.after || !file.before) return undefined;
  const named = (items: readonly { kind: string; name: string }[], name: string) =>
    items.find((item): item is FunctionItem => item.kind === "function" && item.name === name);
  const [old, now] = [named(file.before.items, before.value), named(file.after.items, after.value)];
  // Written twice or never, by a macro, or of another kind: not for a machine.
  if (!old || !now || old.macro || now.start > table.start) return undefined;
  if (old.returns !== now.returns || old.parameters.join() !== now.parameters.join()) return undefined;
  const names = parameterNames(file.before.syntax(old), old.parameters.length);
  if (!names) return undefined;
  const call = `${after.value}(${names.join(", ")})`;
  const body = `{\n\t${old.returns === "void" ? call : `return ${call}`};\n}`;
  const back = slotEdit(after, before.value, file.after.lines, file.path);
  if (!back) return undefined;
  const kept = named(file.after.items, before.value);
  const title = `Keep '${before.value}' in the table and let it call '${after.value}'`;
  if (!kept) {
    const head = file.before.text.slice(old.start, old.bodyStart);
    const text = `${head}${body}\n\n`;
    return { title, edits: [{ ...file.after.lines.place(file.path, table.start, table.start), text }, back] };
  }
  const isUsedElsewhere = file.after.items.some(
    (item) => item.start !== kept.start && item.kind !== "prototype" && mentions(item.tokens, before.value),
  );
  // The old body would be lost to its other users, and the new function has to be declared in front of it.
  if (isUsedElsewhere || !kept.isStatic || now.start > kept.start || mentions(now.body, before.value))
    return undefined;
  return {
    title,
    edits: [{ ...file.after.lines.place(file.path, kept.bodyStart, kept.end), text: body }, back],
  };
}

function slotEdit({ line, value }: Element, text: string, lines: LineIndex, file: string): Edit | undefined {
  const whole = lines.line(line);
  const at = whole.lastIndexOf(value);
  if (at === -1) return undefined;
  return { file, line, column: at + 1, endLine: line, endColumn: at + 1 + value.length, text };
}

function parameterNames(
  root: ReturnType<NonNullable<Inspection["file"]["before"]>["syntax"]>,
  count: number,
) {
  const declarator = [...descendants(root)].find(({ type }) => type === "function_declarator");
  const list = declarator?.childForFieldName("parameters")?.namedChildren ?? [];
  const names = list
    .filter(({ type }) => type === "parameter_declaration")
    .flatMap((parameter) => innermostName(parameter.childForFieldName("declarator"))?.text ?? []);
  return names.length === count ? names : undefined;
}
