import type { ChangedFile } from "../../change/change-set.js";
import type { FunctionItem } from "../../change/item.js";
import { changesOf } from "../../change/sides.js";
import { tokensOf } from "../../change/tokens.js";
import type { Fix, SourceRule } from "../inspection.js";
import { functionsOf, shownUses } from "./callers.js";
import { hasChangedCode } from "./changed-code.js";

/** @see docs/rules/inline-not-traceable.md */
export const inlineNotTraceable: SourceRule = {
  id: "inline-not-traceable",
  severity: "needs-review",
  witnesses: ["source", "object"],
  summary: "a function declared inline was kept out of line and has no ftrace entry",
  why: "The kernel's inline implies notrace, so a copy that the compiler did not inline cannot be redirected.",
  remedy:
    "Mark it __always_inline, so that its callers carry the change, or call a fixed copy under a new name.",
  sources: ["include/linux/compiler_types.h"],
  *check({ file, facts }) {
    if (!file.path.endsWith(".c") || facts.build(file.path).untraced !== undefined) return;
    for (const change of changesOf(file, "function")) {
      if (!hasChangedCode(change) || change.before.kept === "no") continue;
      const { before, after, name, place } = change;
      if (!isPlainInline(before) || after.annotations.includes("__always_inline")) continue;
      const uses = facts.uses(name).places;
      const stored = uses.filter(({ kind }) => kind === "address");
      const callers = functionsOf(
        uses.filter(({ kind }) => kind === "call"),
        name,
      );
      if (stored.length > 0)
        yield {
          at: place,
          symbol: name,
          message: `'${name}' is inline but its address is taken: there is a copy of its own, which has no ftrace entry`,
          remedy: "Leave it as it is, and let its callers use a fixed copy under a new name.",
          related: shownUses(stored, name),
        };
      else if (callers.length > 1 && sizeOf(before) > LARGE)
        yield {
          at: place,
          symbol: name,
          message: `'${name}' is inline, but so long that the compiler may keep it out of line for its ${callers.length} callers; it has no ftrace entry then`,
          fixes: [alwaysInline(file, after)].filter((fix) => fix !== undefined),
        };
    }
  },
};

/**
 * Tokens of a body that the compiler inlines in every place when it is only declared `inline`: some two for each of the 70
 * instructions that GCC allows at -O2 (`max-inline-insns-single`).
 */
const LARGE = 160;

function sizeOf({ body }: FunctionItem): number {
  return body.split(" ").filter((token) => /\w|[-+*/%&|^<>=?]/.test(token)).length;
}

function isPlainInline({ isInline, annotations }: FunctionItem): boolean {
  return isInline && !annotations.includes("__always_inline") && !annotations.includes("noinline");
}

function alwaysInline(file: ChangedFile, { start, bodyStart }: FunctionItem): Fix | undefined {
  const { after } = file;
  if (!after) return undefined;
  const word = tokensOf(after.text.slice(start, bodyStart)).find(({ text }) =>
    /^(?:__)?inline(?:__)?$/.test(text),
  );
  if (!word) return undefined;
  const at = start + word.start;
  return {
    title: "Have it inlined in every place",
    edits: [{ ...after.lines.place(file.path, at, at + word.text.length), text: "__always_inline" }],
  };
}
