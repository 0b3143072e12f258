import type { FunctionItem } from "../../change/item.js";
import { changesOf } from "../../change/sides.js";
import type { TreeFacts } from "../../tree/tree-facts.js";
import type { Inspection, SourceFinding, SourceRule } from "../inspection.js";
import { listed } from "../listed.js";
import { initAnnotation } from "./annotations.js";
import { callersOf } from "./callers.js";
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
  *check(inspection) {
    const { file, facts } = inspection;
    const { untraced } = facts.build(file.path);
    if (untraced !== undefined) yield* wholeFile(inspection, untraced);
    else
      for (const change of changesOf(file, "function")) {
        // What runs is the function as it was: an annotation that only the patch adds or drops changes nothing there.
        const { before, after, name, place } = change;
        const annotation = before && reasonOf(before, facts);
        if (!before || !after || before.kept === "no" || !annotation) continue;
        if (!hasChangedCode(change) && reasonOf(after, facts)) continue;
        const callers = callersOf(facts, name);
        const isInlined = before.isStatic && callers.length === 1 && annotation.mayBeInlined;
        yield {
          at: place,
          symbol: name,
          ...((isInlined || annotation.depends) && { severity: "needs-review" as const }),
          message: `'${name}' is ${annotation.words}${isInlined ? `, and can only be patched if it is inlined into '${callers[0]}'` : ""}`,
          ...remedyFor(callers),
        };
      }
  },
};

/** One finding for a file that is built without ftrace entries. */
function* wholeFile({ file, facts }: Inspection, untraced: string): Generator<SourceFinding> {
  const changed = changesOf(file, "function").filter(
    (change) =>
      hasChangedCode(change) &&
      change.before.kept !== "no" &&
      !initAnnotation(change.before.annotations, facts.tree.config),
  );
  const [first] = changed;
  if (!first) return;
  const names = changed.map(({ name }) => `'${name}'`);
  yield {
    at: first.place,
    symbol: first.name,
    message: `${listed(names)} ${names.length > 1 ? "have" : "has"} no ftrace entry: ${untraced}`,
    ...(names.length === 1 && remedyFor(callersOf(facts, first.name))),
  };
}

function remedyFor(callers: readonly string[]): { remedy: string } | Record<never, never> {
  if (callers.length === 0) return {};
  const names = listed(callers.map((caller) => `'${caller}'`));
  return { remedy: `Patch ${names} instead, calling a fixed copy under a new name.` };
}

interface Reason {
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
    return { words: `defined by ${macro}, which makes it part of noinstr entry code`, mayBeInlined: false };
  if (isInline) return undefined;
  const canInline = !annotations.includes("noinline");
  for (const word of annotations) {
    if (/^(?:noinstr|__naked|__noinstr_section\b.*)$/.test(word)) return { words: word, mayBeInlined: false };
    if (word === "notrace") return { words: word, mayBeInlined: canInline };
    if (/no_instrument_function|patchable_function_entry \( 0/.test(word))
      return { words: "compiled without an ftrace entry by an attribute", mayBeInlined: canInline };
    if (/"\.(?:noinstr|entry)\.text"/.test(word))
      return { words: "placed where nothing is traced", mayBeInlined: false };
    if (word === "__cpuidle")
      return { words: "__cpuidle, which some kernels do not trace", mayBeInlined: false, depends: true };
    if (MEMINIT.test(word) && !initAnnotation([word], tree.config))
      return { words: `${word}, which some kernels do not trace`, mayBeInlined: canInline, depends: true };
  }
  return undefined;
}

/** `DEFINE_IDTENTRY_IRQ` and `_SYSVEC` leave the body a function of its own; the others inline it or are noinstr. */
const IDT_ENTRY = /^DEFINE_(?:IDTENTRY(?!_IRQ$|_SYSVEC$)|FREDENTRY)/;
/** `notrace` while they had sections of their own (include/linux/init.h). */
const MEMINIT = /^__(?:meminit|init_memblock)$/;
