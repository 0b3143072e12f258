import type { ChangedFile, ItemChange } from "../../change/change-set.js";
import type { FunctionItem } from "../../change/item.js";
import { functionHeading } from "../../change/outline.js";
import { changesOf } from "../../change/sides.js";
import type { TreeFacts } from "../../tree/tree-facts.js";
import type { SourceFinding, SourceRule } from "../inspection.js";
import { listed } from "../listed.js";
import { initAnnotation } from "./annotations.js";
import { callersOf, functionsOf, shownUses } from "./callers.js";
import { hasChangedCode } from "./changed-code.js";

/** @see docs/rules/not-traceable.md */
export const notTraceable: SourceRule = {
  id: "not-traceable",
  severity: "unsafe",
  witnesses: ["source", "object"],
  summary: "a changed function has no ftrace entry",
  why: "Redirection hooks the call that the compiler places at a function's entry. notrace, noinstr, naked functions and folders built without ftrace flags have none.",
  remedy: "Patch its callers instead, calling a fixed copy under a new name.",
  sources: ["Documentation/livepatch/livepatch.rst, 7. Limitations", "include/linux/compiler_types.h"],
  *check({ file, facts }) {
    const { untraced } = facts.build(file.path);
    for (const change of changesOf(file, "function")) {
      const { before, after, name, place } = change;
      if (!before || !after || before.kept === "no") continue;
      const reason = untraced === undefined ? reasonOf(before, facts) : ofFile(untraced, before, facts);
      if (!reason) {
        if (before.isInline && hasChangedCode(change)) yield* withinUntraced(file, facts, change);
        continue;
      }
      // What runs is the function as it was: an annotation that the patch adds changes nothing there.
      if (!hasChangedCode(change) && (untraced !== undefined || reasonOf(after, facts))) continue;
      const callers = callersOf(facts, name);
      const isInlined = before.isStatic && callers.length === 1 && reason.mayBeInlined;
      yield {
        at: place,
        symbol: name,
        ...((isInlined || reason.depends) && { severity: "needs-review" as const }),
        message: `'${name}' ${reason.words}${isInlined ? `, and can only be patched if it is inlined into '${callers[0]}'` : ""}`,
        ...(untraced === undefined && remedyFor(callers)),
      };
    }
  },
};

/** Initial code is the business of init-code. */
function ofFile(untraced: string, { annotations }: FunctionItem, { tree }: TreeFacts): Reason | undefined {
  if (initAnnotation(annotations, tree.config)) return undefined;
  return { words: `has no ftrace entry: ${untraced}`, mayBeInlined: false };
}

/** An inline function that is part of functions of its file which are not traced. */
function* withinUntraced(
  { path, after: source }: ChangedFile,
  facts: TreeFacts,
  { name, place }: ItemChange<FunctionItem>,
): Generator<SourceFinding> {
  const uses = facts.uses(name).places.filter(({ kind, file, within }) => {
    if (!source || kind !== "call" || file !== path || within === undefined) return false;
    return /\b(?:noinstr|notrace|__naked)\b/.test(functionHeading(source, within)?.text ?? "");
  });
  if (uses.length > 0)
    yield {
      at: place,
      symbol: name,
      message: `'${name}' is compiled into ${listed(functionsOf(uses, name).map((one) => `'${one}'`))}, where nothing is traced`,
      related: shownUses(uses, name),
    };
}

function remedyFor(callers: readonly string[]): { remedy: string } | Record<never, never> {
  if (callers.length === 0) return {};
  const names = listed(callers.map((caller) => `'${caller}'`));
  return { remedy: `Patch ${names} instead, calling a fixed copy under a new name.` };
}

interface Reason {
  /** Completes `'f' …`. */
  readonly words: string;
  /** The compiler may make it part of its caller. */
  readonly mayBeInlined: boolean;
  /** Kernels differ in it, or the configuration decides. */
  readonly depends?: boolean;
}

/**
 * Why a function as it runs has no ftrace entry (include/linux/compiler_types.h, arch/x86/include/asm/idtentry.h). Code in
 * `.kprobes.text`, `.sched.text` and `.irqentry.text` does have one. Those that are meant to be inlined are not told here.
 */
function reasonOf({ annotations, isInline, macro }: FunctionItem, { tree }: TreeFacts): Reason | undefined {
  if (macro !== undefined && IDT_ENTRY.test(macro))
    return {
      words: `is defined by ${macro}, which makes it part of noinstr entry code`,
      mayBeInlined: false,
    };
  if (isInline) return undefined;
  const canInline = !annotations.includes("noinline");
  for (const word of annotations) {
    if (/^(?:noinstr|__naked|__noinstr_section\b.*)$/.test(word))
      return { words: `is ${word}`, mayBeInlined: false };
    if (word === "notrace") return { words: `is ${word}`, mayBeInlined: canInline };
    if (/no_instrument_function|patchable_function_entry \( 0/.test(word))
      return { words: "is compiled without an ftrace entry by an attribute", mayBeInlined: canInline };
    if (/"\.(?:noinstr|entry)\.text"/.test(word))
      return { words: "is placed where nothing is traced", mayBeInlined: false };
    if (word === "__cpuidle")
      return { words: "is __cpuidle, which some kernels do not trace", mayBeInlined: false, depends: true };
    if (MEMINIT.test(word) && !initAnnotation([word], tree.config))
      return { words: `is ${word}, which some kernels do not trace`, mayBeInlined: canInline, depends: true };
  }
  return undefined;
}

/** `DEFINE_IDTENTRY_IRQ` and `_SYSVEC` leave the body a function of its own; the others inline it or are noinstr. */
const IDT_ENTRY = /^DEFINE_(?:IDTENTRY(?!_IRQ$|_SYSVEC$)|FREDENTRY)/;
/** `notrace` while they had sections of their own (include/linux/init.h). */
const MEMINIT = /^__(?:meminit|init_memblock)$/;
