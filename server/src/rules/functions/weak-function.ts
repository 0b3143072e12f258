import type { FunctionItem } from "../../change/item.js";
import { changesOf } from "../../change/sides.js";
import type { SourceRule } from "../inspection.js";
import { placeOfUse } from "./callers.js";
import { hasChangedCode } from "./changed-code.js";

/** @see docs/rules/weak-function.md */
export const weakFunction: SourceRule = {
  id: "weak-function",
  severity: "needs-review",
  witnesses: ["source", "object"],
  summary: "the changed function is weak and another definition takes its place",
  why: "If another object defines it, the running kernel never calls this version.",
  remedy: "Patch the definition that the image really holds.",
  sources: ["include/linux/compiler_attributes.h"],
  *check({ file, facts }) {
    for (const change of changesOf(file, "function")) {
      if (!hasChangedCode(change) || !isWeak(change.after) || change.after.kept === "no") continue;
      const { name, place } = change;
      const others = facts
        .uses(name)
        .places.filter(
          (use) => use.kind === "definition" && use.file !== file.path && use.file.endsWith(".c"),
        )
        .map((use) => ({ use, ...facts.build(use.file) }))
        .filter(({ into }) => into !== "nothing" && into !== "module");
      const other = others.find(({ into }) => into !== "unknown") ?? others[0];
      if (!other) continue;
      yield {
        at: place,
        symbol: name,
        message: `'${name}' is weak, and ${other.use.file} ${other.into === "unknown" ? "may define" : "defines"} it too: then this version is never called`,
        remedy: `Patch the definition in ${other.use.file}.`,
        related: others.map(({ use }) => ({ at: placeOfUse(use, name), message: `another '${name}'` })),
      };
    }
  },
};

function isWeak({ annotations }: FunctionItem): boolean {
  return annotations.some((word) => word === "__weak" || /\b(?:__)?weak(?:__)?\b/.test(word));
}
