import type { ItemChange } from "../../change/change-set.js";
import type { DataItem, FunctionItem } from "../../change/item.js";
import { functionHeading } from "../../change/outline.js";
import type { Place } from "../../change/place.js";
import { changesOf } from "../../change/sides.js";
import type { UnitBuild, Use } from "../../tree/tree-facts.js";
import type { Inspection, SourceFinding, SourceRule } from "../inspection.js";
import { listed } from "../listed.js";
import { INITCALL, type InitAnnotation, initAnnotation, wordsOfHead } from "./annotations.js";
import { functionsOf, shownUses } from "./callers.js";
import { hasChangedCode } from "./changed-code.js";
import { onlyUsedBy } from "./only-used-by.js";

/** @see docs/rules/init-code.md */
export const initCode: SourceRule = {
  id: "init-code",
  severity: "unsafe",
  witnesses: ["source", "object"],
  summary: "code or data in an .init section changed",
  why: "It ran at boot or at module load and its memory was given back: redirecting it changes nothing, and its address may hold other things now.",
  remedy: "Repair the live state it set up from a pre-patch or post-patch callback.",
  sources: ["include/linux/init.h", "Documentation/livepatch/callbacks.rst, 4. Use cases"],
  *check(inspection) {
    const found = [...annotated(inspection)];
    const changed = found.filter(({ isNew }) => !isNew);
    // What is new or gone is the business of the changed code that calls it.
    yield* (changed.length > 0 ? changed : found).map(({ finding }) => finding);
    yield* withoutAnnotation(inspection);
  },
};

interface Found {
  readonly finding: SourceFinding;
  /** There only before or only after. */
  readonly isNew: boolean;
}

function* annotated({ file, facts }: Inspection): Generator<Found> {
  const { config } = facts.tree;
  for (const change of [...changesOf(file, "function"), ...changesOf(file, "data")]) {
    const { before, after, place, name } = change;
    if ((after ?? before)?.kept === "no") continue;
    const old = before && initAnnotation(before.annotations, config);
    const now = after && initAnnotation(after.annotations, config);
    const init = now ?? old;
    if (!init || (old?.word === now?.word && !differs(change))) continue;
    const finding = {
      at: place,
      symbol: name,
      message: said(change, old, now, facts.build(file.path)),
      ...(init.fate === "unknown" && { severity: "needs-review" as const }),
    };
    yield { finding, isNew: !before || !after };
  }
}

function differs(change: ItemChange<FunctionItem> | ItemChange<DataItem>): boolean {
  const { before, after } = change;
  if (!before || !after) return true;
  if (shapingWords(before) !== shapingWords(after)) return true;
  if (before.kind === "function" || after.kind === "function")
    return hasChangedCode(change as ItemChange<FunctionItem>);
  return before.initial !== after.initial || before.type !== after.type;
}

/** Annotations that the compiler may translate into other code or another place, in any order. */
function shapingWords({ annotations }: FunctionItem | DataItem): string {
  return annotations
    .filter((word) => !LINKAGE.test(word))
    .toSorted()
    .join(" ");
}

const LINKAGE = /^(?:static|extern|asmlinkage|__visible|__(?:maybe|always)_unused|__must_check)$/;

function said(
  { name, before, after }: ItemChange,
  old: InitAnnotation | undefined,
  now: InitAnnotation | undefined,
  { into, module }: UnitBuild,
): string {
  const init = now ?? old;
  const word = init?.word ?? "";
  const when = into === "module" ? `module ${module ?? "code"} was loaded` : "the kernel had booted";
  if (init?.fate === "unknown")
    return `'${name}' is ${word}: without ${init.option ?? "an option"} it was freed once ${when}, and the configuration is not known`;
  if (before && after && !old)
    return `'${name}' becomes ${word}: the patch's copy would be freed while the running kernel may still call it`;
  if (before && after && !now)
    return `'${name}' is ${word} no more, but in the running kernel it is, and was freed once ${when}`;
  return `'${name}' is ${word}: it was freed once ${when}`;
}

/** Functions that have run for good although nothing marks them. */
function* withoutAnnotation({ file, facts }: Inspection): Generator<SourceFinding> {
  const { after: source } = file;
  if (!source) return;
  const { config } = facts.tree;
  const mayInit = source.text.includes("init") || source.text.includes("__setup");
  for (const change of mayInit ? changesOf(file, "function") : []) {
    if (!hasChangedCode(change) || change.after.kept === "no") continue;
    const { before, after, name, place } = change;
    if (initAnnotation([...before.annotations, ...after.annotations], config)) continue;
    const isInitial = ({ kind, within, file: user, argumentOf }: Use) => {
      if (within === undefined) return argumentOf !== undefined && INITCALL.test(argumentOf);
      const heading = user === file.path && kind === "call" ? functionHeading(source, within) : undefined;
      return heading !== undefined && initAnnotation(wordsOfHead(heading.text), config)?.fate === "freed";
    };
    const uses = onlyUsedBy(facts, source, name, isInitial);
    if (!uses) {
      const initial = after.isInline ? facts.uses(name).places.filter(isInitial) : [];
      if (initial.length > 0) yield partlyInitial(name, place, initial);
      continue;
    }
    const macro = uses.find(({ within }) => within === undefined)?.argumentOf;
    const callers = functionsOf(uses, name);
    const isInlined =
      macro === undefined &&
      after.isStatic &&
      (after.isInline || uses.length === 1) &&
      !after.annotations.includes("noinline");
    const isModule = facts.build(file.path).into === "module";
    yield {
      at: place,
      symbol: name,
      severity: (macro !== undefined && !isModule) || isInlined ? "unsafe" : "needs-review",
      message:
        macro !== undefined
          ? `'${name}' is called once, by ${macro}: it ${isModule ? "runs only while its module is loaded" : "ran while the kernel booted"}`
          : `'${name}' is only called while ${isModule ? "its module is loaded" : "the kernel boots"}, by ${listed(callers.map((caller) => `'${caller}'`))}${isInlined ? ", which the compiler most likely makes it part of" : ""}`,
      why: "What it did is done: other code in its place is never called, and what the old code set up stays as it is.",
      related: shownUses(uses, name),
    };
  }
}

function partlyInitial(name: string, place: Place, uses: readonly Use[]): SourceFinding {
  const functions = listed(functionsOf(uses, name).map((one) => `'${one}'`));
  return {
    at: place,
    symbol: name,
    severity: "info",
    message: `'${name}' is also compiled into ${functions}, which has run and stays as it was`,
    why: "Code that ran while the kernel booted or the module was loaded did what the old text says.",
    remedy: "Nothing to do, unless what it set up must be repaired.",
    related: shownUses(uses, name),
  };
}
