import type { ChangedFile, ItemChange } from "../../change/change-set.js";
import type { FunctionItem, SourceFile } from "../../change/item.js";
import { placeOfLine } from "../../change/line-index.js";
import { functionHeading, type Heading, usesByTokens } from "../../change/outline.js";
import { changesOf } from "../../change/sides.js";
import { normalForm, tokensOf } from "../../change/tokens.js";
import type { TreeFacts, Use } from "../../tree/tree-facts.js";
import type { Fix, SourceFinding, SourceRule } from "../inspection.js";
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
    const told = new Set<string>();
    for (const change of changesOf(file, "function")) {
      if (!hasChangedCode(change) || change.before.kept === "no") continue;
      const { before, after, name } = change;
      if (isPlainInline(before.annotations) && !after.annotations.includes("__always_inline")) {
        const finding = copyOfItsOwn(file, facts, change);
        if (finding) yield finding;
        told.add(name);
      }
      if (!file.after) continue;
      for (const holder of inlineHolders(facts, file.after, before)) {
        if (told.has(holder.name)) continue;
        told.add(holder.name);
        yield {
          at: change.place,
          symbol: holder.name,
          message: `'${name}' may be compiled into '${holder.name}', which is inline: where that is kept out of line it has no ftrace entry`,
          remedy: `Mark '${holder.name}' __always_inline, so that its callers carry the change, or let them call a fixed copy under a new name.`,
          related: [
            {
              at: placeOfLine(file.after.lines, file.path, holder.line),
              message: `'${holder.name}' is inline`,
            },
          ],
        };
      }
    }
  },
};

/** Why a changed inline function has, or may have, a copy that cannot be redirected. */
function copyOfItsOwn(
  file: ChangedFile,
  facts: TreeFacts,
  { before, after, name, place }: ItemChange<FunctionItem>,
): SourceFinding | undefined {
  if (!before || !after) return undefined;
  const uses = facts.uses(name).places;
  const stored = uses.filter(({ kind }) => kind === "address");
  const calls = uses.filter(({ kind }) => kind === "call");
  const elsewhere = before.isStatic ? [] : calls.filter((use) => use.file !== file.path);
  if (elsewhere.length > 0)
    return {
      at: place,
      symbol: name,
      severity: "unsafe",
      message: `'${name}' is inline but not static: what other files call is a copy of its own, which has no ftrace entry`,
      remedy: "Leave it as it is, and let its callers use a fixed copy under a new name.",
      related: shownUses(elsewhere, name),
    };
  if (stored.length > 0)
    return {
      at: place,
      symbol: name,
      message: `'${name}' is inline but its address is taken: there is a copy of its own, which has no ftrace entry`,
      remedy: "Leave it as it is, and let its callers use a fixed copy under a new name.",
      related: shownUses(stored, name),
    };
  const callers = functionsOf(calls, name);
  if (callers.length < 2 || sizeOf(before.body) <= LARGE) return undefined;
  return {
    at: place,
    symbol: name,
    message: `'${name}' is inline, but so long that the compiler may keep it out of line for its ${callers.length} callers; it has no ftrace entry then`,
    fixes: [alwaysInline(file, after)].filter((fix) => fix !== undefined),
  };
}

/**
 * Inline functions of the same file that a changed function may be compiled into and that the compiler may keep out of
 * line: long ones. Followed upwards as long as each is likely to become part of its caller.
 */
function inlineHolders(facts: TreeFacts, file: SourceFile, changed: FunctionItem): Heading[] {
  const holders: Heading[] = [];
  const seen = new Set([changed.name]);
  const follow = (name: string, uses: readonly Use[], isInline: boolean, isStatic: boolean) => {
    const calls = uses.filter((use) => use.kind === "call" && use.file === file.path && use.within);
    if (!isStatic || (!isInline && calls.length > 1)) return;
    for (const caller of functionsOf(calls, name)) {
      const heading = functionHeading(file, caller);
      if (!heading || seen.has(caller)) continue;
      seen.add(caller);
      const words = heading.text.split(/\W+/);
      const inline = isPlainInline(words);
      const body = file.lines.lines.slice(heading.line, heading.endLine).join("\n");
      if (inline && sizeOf(normalForm(body)) > LARGE) holders.push(heading);
      follow(
        caller,
        usesByTokens(file, caller),
        inline || words.includes("__always_inline"),
        words.includes("static"),
      );
    }
  };
  follow(changed.name, facts.uses(changed.name).places, changed.isInline, changed.isStatic);
  return holders;
}

/**
 * Tokens of a body that the compiler inlines in every place when it is only declared `inline`: some two for each of the 70
 * instructions that GCC allows at -O2 (`max-inline-insns-single`).
 */
const LARGE = 160;

function sizeOf(body: string): number {
  return body.split(" ").filter((token) => /\w|[-+*/%&|^<>=?]/.test(token)).length;
}

function isPlainInline(words: readonly string[]): boolean {
  const is = (word: string) => words.includes(word);
  return ["inline", "__inline", "__inline__"].some(is) && !is("__always_inline") && !is("noinline");
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
