import type { ItemChange } from "../../change/change-set.js";
import { changedConstants, itemsMadeOf } from "../../change/changed-constants.js";
import type { DataItem, SourceFile } from "../../change/item.js";
import { placeOfLine } from "../../change/line-index.js";
import { changedFunctions, placeOfNode } from "../../change/sides.js";
import { STATIC, staticLocals } from "../../change/static-locals.js";
import { mentions } from "../../change/tokens.js";
import type { Fix, Inspection, SourceFinding, SourceRule } from "../inspection.js";
import { codeText } from "./code-text.js";
import { hotpatchInclude } from "./include-edit.js";
import { dataChanges, isLive, sameInitial, sameValue } from "./live-data.js";
import { isTableChange } from "./ops-table-changed.js";

/** @see docs/rules/static-data-changed.md */
export const staticDataChanged: SourceRule = {
  id: "static-data-changed",
  severity: "unsafe",
  witnesses: ["source", "object"],
  summary: "the initial value, the size or the type of an existing variable changed",
  why: "The variable is live: its initial value was used at boot and what it holds now belongs to the running kernel.",
  remedy: "Set the value in a callback, or branch in the code that reads it.",
  sources: ["Documentation/livepatch/callbacks.rst"],
  *check(inspection) {
    for (const change of dataChanges(inspection)) {
      const { before, after } = change;
      if (before && after) {
        if (!isTableChange(change, inspection)) yield* changed(before, after, change.place, inspection);
      } else if (before) yield* removed(change, inspection);
    }
    yield* madeOfChangedConstants(inspection);
    yield* changedLocals(inspection);
  },
};

function* changed(
  before: DataItem,
  after: DataItem,
  place: SourceFinding["at"],
  { file }: Inspection,
): Generator<SourceFinding> {
  const { name } = after;
  const common = { at: place, symbol: name };
  const isFolded = folded(before, file.before) && folded(after, file.after);
  const why = { ...(isFolded && FOLDED) };
  if (before.type !== after.type || before.macro !== after.macro) {
    if (typeless(before) === typeless(after) && !before.macro) {
      // What is constant lives in read-only memory, and what is there stays where it was put at boot.
      if (before.isConst !== after.isConst && !isFolded)
        yield {
          ...common,
          message: `'${name}' becomes ${after.isConst ? "constant" : "writable"}: the running kernel keeps it where it is`,
        };
      if (sameValue(before, after)) return;
    } else {
      const message =
        before.macro === after.macro && before.macro
          ? `'${name}' is defined with (${codeText(after.type)}) instead of (${codeText(before.type)}); the running kernel has set it up long ago`
          : `'${name}' is a ${described(after)} instead of a ${described(before)}; the running kernel has the old one`;
      yield { ...common, ...why, message };
      return;
    }
  }
  if (sameValue(before, after)) {
    const sections = (item: DataItem) => item.annotations.filter((word) => SECTION.test(word)).join(" ");
    if (sections(before) !== sections(after))
      yield {
        ...common,
        message: `'${name}' is placed elsewhere in memory (${sections(after) || "ordinary data"} instead of ${sections(before) || "ordinary data"}); the running kernel keeps it where it is`,
      };
    return;
  }
  const at = firstElement(before, after);
  const fix = isFolded ? undefined : callbackFix(before, after, file);
  yield {
    ...common,
    ...why,
    ...(at !== undefined && file.after && { at: placeOfLine(file.after.lines, file.path, at) }),
    message: valueMessage(before, after),
    ...(fix && { fixes: [fix] }),
  };
}

/** What the compiler puts into the code that reads it: there is no variable to be changed. */
const FOLDED = {
  severity: "info" as const,
  why: "It is a constant number whose address nobody takes: the compiler writes it into the code of its readers, and these are replaced.",
  remedy: "Nothing to do: the readers are carried.",
};

/** `__read_mostly` and others that choose a section (include/linux/cache.h). */
const SECTION =
  /^__(?:read_mostly|ro_after_init|section|cacheline_aligned\w*|page_aligned_\w+|refdata|ref)\b|^____cacheline/;

function folded(
  { isStatic, isConst, type, macro, name, elements }: DataItem,
  file: SourceFile | undefined,
): boolean {
  if (!isStatic || !isConst || macro || elements.length > 0 || /[[*]|\b(?:struct|union)\b/.test(type))
    return false;
  return file !== undefined && !file.items.some(({ tokens }) => mentions(tokens, `& ${name}`));
}

function typeless({ type }: DataItem): string {
  return type
    .split(" ")
    .filter((word) => word !== "const")
    .join(" ");
}

function described({ type, macro }: DataItem): string {
  return codeText(macro ? `${macro}(${type})` : type);
}

function firstElement(before: DataItem, after: DataItem): number | undefined {
  if (before.elements.length === 0 || after.elements.length === 0) return undefined;
  const key = ({ designator, value }: DataItem["elements"][number]) => `${designator} ${value}`;
  const old = new Set(before.elements.map(key));
  return after.elements.find((element) => !old.has(key(element)))?.line;
}

function valueMessage(before: DataItem, after: DataItem): string {
  const { name } = after;
  const [old, now] = [before.elements, after.elements];
  const tail = "the running kernel has set up the old one long ago";
  if (old.length !== now.length && old.length > 0 && now.length > 0)
    return `'${name}' is given ${now.length} values instead of ${old.length}; ${tail}`;
  const differing = now.filter((element, at) => {
    const was = element.designator ? old.find((other) => other.designator === element.designator) : old[at];
    return was?.value !== element.value;
  });
  const [only] = differing;
  if (only && old.length === now.length) {
    const was = only.designator
      ? old.find((other) => other.designator === only.designator)
      : old[now.indexOf(only)];
    const slot = codeText(only.designator) || `element ${now.indexOf(only)}`;
    const others = differing.length > 1 ? ` (and ${differing.length - 1} more)` : "";
    if (shown(only.value) === shown(was?.value))
      return `${slot} of '${name}' is set up differently${others}; ${tail}`;
    return `${slot} of '${name}' starts as ${shown(only.value)} instead of ${shown(was?.value)}${others}; ${tail}`;
  }
  if (shown(after.initial) === shown(before.initial)) return `'${name}' is set up differently; ${tail}`;
  return `'${name}' starts as ${shown(after.initial)} instead of ${shown(before.initial)}; ${tail}`;
}

function shown(initial: string | undefined): string {
  if (initial === undefined) return "zero";
  const text = codeText(initial);
  return text.length > 40 ? "another value" : text;
}

/** A removed variable is a loss only to those who go on using it. */
function* removed(
  { name, place, before }: ItemChange<DataItem>,
  { facts }: Inspection,
): Generator<SourceFinding> {
  if (!before || before.isStatic) return;
  const users = facts.uses(name).places.filter(({ inPatch, kind }) => !inPatch && kind !== "declaration");
  const [first] = users;
  if (!first) return;
  yield {
    at: place,
    symbol: name,
    message: `'${name}' is removed, but ${first.within ? `'${first.within}'` : first.file} outside of the patch uses it`,
    related: users.slice(0, 4).map(({ file, line, column, within }) => ({
      at: { file, line, column, endLine: line, endColumn: column + name.length },
      message: within ? `used by '${within}'` : "used here",
    })),
  };
}

/** Variables that are written as before, but of something that means something else now. */
function* madeOfChangedConstants({ file, changes }: Inspection): Generator<SourceFinding> {
  const constants = changedConstants(changes, file);
  const textOf = ({ type, initial }: DataItem) => `${type} ${initial ?? ""}`;
  for (const { item, constant } of itemsMadeOf(file, "data", constants, textOf)) {
    if (!isLive(item) || !file.after || folded(item, file.after)) continue;
    yield {
      at: file.after.lines.place(file.path, item.nameStart, item.nameEnd),
      symbol: item.name,
      message: `'${item.name}' is made of '${constant.name}', which changes; the running kernel has set up the old one long ago`,
      related: [
        {
          at: constant.place,
          message: `${codeText(constant.after)} instead of ${codeText(constant.before)}`,
        },
      ],
    };
  }
}

/** Static variables of functions: they have one life for all calls, and it has begun. */
function* changedLocals({ file }: Inspection): Generator<SourceFinding> {
  for (const { change, before, after } of changedFunctions(file, STATIC)) {
    if (!before || !after || change.after?.annotations.includes("__init")) continue;
    const old = staticLocals(before);
    for (const { name, type, initial, isConst, isScalar, isPerCpu, isUsed, at } of staticLocals(after)) {
      const was = old.find((local) => local.name === name);
      if (
        !was ||
        isPerCpu ||
        !isUsed ||
        !was.isUsed ||
        (was.type === type && sameInitial(was.initial, initial))
      )
        continue;
      const isFolded = isConst && isScalar && !mentions(change.after?.body ?? "", `& ${name}`);
      const what =
        was.type === type
          ? shown(initial) === shown(was.initial)
            ? "is set up differently"
            : `starts as ${shown(initial)} instead of ${shown(was.initial)}`
          : `is declared ${codeText(type)} instead of ${codeText(was.type)}`;
      yield {
        at: placeOfNode(file, at),
        symbol: change.name,
        ...(isFolded && FOLDED),
        message: `static variable '${name}' of '${change.name}' ${what}; the running kernel has set up the old one long ago`,
      };
    }
  }
}

const VALUE = /^(\s*=\s*)([\s\S]*?)(\s*;)\s*$/;

/** Leaves the definition alone, and sets and restores the value while the patch is in place. */
function callbackFix(before: DataItem, after: DataItem, changed: Inspection["file"]): Fix | undefined {
  const { name, initial, type } = after;
  const file = changed.after;
  const isNumber = !/[[(]|\b(?:struct|union)\b/.test(type) && !before.macro && !after.macro;
  if (!file || !isNumber || after.isConst || initial === undefined || after.elements.length > 0)
    return undefined;
  const value = VALUE.exec(file.text.slice(after.nameEnd, after.end));
  const old = VALUE.exec(changed.before?.text.slice(before.nameEnd, before.end) ?? "")?.[2] ?? "";
  // One of several in a declaration, or set by a macro.
  if (!value || value[2]?.includes(",")) return undefined;
  const [, equals = "", text = ""] = value;
  const from = before.initial === undefined ? after.nameEnd : after.nameEnd + equals.length;
  const to = after.nameEnd + equals.length + text.length;
  const end = file.lines.place(file.path, after.end, after.end);
  return {
    title: `Set '${name}' in a callback and restore it in another one`,
    edits: [
      ...hotpatchInclude(file),
      { ...file.lines.place(file.path, from, to), text: old },
      { ...end, text: callbackText(name, type, text) },
    ],
  };
}

/** @see Documentation/livepatch/callbacks.rst and kernel/runtime/include/hotpatch.h */
function callbackText(name: string, type: string, value: string): string {
  const spaced = type.replace(/( \*)+$/, (stars) => ` ${stars.replaceAll(" ", "")}`);
  const declared = spaced.endsWith("*") ? `${spaced}${name}_before` : `${spaced} ${name}_before`;
  return `

static ${declared};

static int ${name}_pre_patch(struct klp_object *obj)
{
	${name}_before = ${name};
	${name} = ${value};
	return 0;
}
HOTPATCH_PRE_PATCH_CALLBACK(${name}_pre_patch);

static void ${name}_post_unpatch(struct klp_object *obj)
{
	${name} = ${name}_before;
}
HOTPATCH_POST_UNPATCH_CALLBACK(${name}_post_unpatch);`;
}
