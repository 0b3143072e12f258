import { callsIn } from "../../change/calls.js";
import type { SourceFile } from "../../change/item.js";
import { functionHeading } from "../../change/outline.js";
import { changesOf } from "../../change/sides.js";
import type { SyntaxNode } from "../../syntax/tree.js";
import type { SourceRule } from "../inspection.js";
import { listed } from "../listed.js";
import { alwaysOnStack } from "./always-on-stack.js";
import { shownUses } from "./callers.js";
import { hasChangedCode } from "./changed-code.js";

/** @see docs/rules/never-returns-on-stack.md */
export const neverReturnsOnStack: SourceRule = {
  id: "never-returns-on-stack",
  severity: "unsafe",
  witnesses: ["source"],
  summary: "the changed function is always on some task's stack",
  why: "A task is switched to new code only while none of the functions that change is on its stack: one that never returns keeps the transition from ending, and the old code runs on.",
  remedy: "Patch a function that it calls, and leave the loop itself alone.",
  sources: ["Documentation/livepatch/livepatch.rst, 3. Consistency model"],
  *check({ file, facts }) {
    for (const change of changesOf(file, "function")) {
      if (!hasChangedCode(change) || change.after.kept === "no" || !file.before) continue;
      const { name, before, place } = change;
      const reason = alwaysOnStack(file, facts, before);
      if (!reason) continue;
      const callees = calleesOf(file.before.syntax(before), file.after, name);
      yield {
        at: place,
        symbol: name,
        message: `'${name}' is ${reason.words}`,
        ...(callees.length > 0 && {
          remedy: `Patch a function that it calls, such as ${listed(callees)}, and leave '${name}' itself alone.`,
        }),
        related: shownUses(reason.starts, name),
      };
    }
  },
};

/** Functions that a function calls and that its file defines, for a person to read. */
function calleesOf(definition: SyntaxNode, file: SourceFile | undefined, name: string): string[] {
  if (!file) return [];
  const names = new Set(callsIn(definition).map((call) => call.name));
  names.delete(name);
  return [...names]
    .filter((callee) => {
      const heading = functionHeading(file, callee);
      return heading !== undefined && !/\b(?:(?:__always_)?inline|notrace|noinstr)\b/.test(heading.text);
    })
    .map((callee) => `'${callee}'`);
}
