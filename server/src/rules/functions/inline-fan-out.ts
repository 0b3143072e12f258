import { changesOf } from "../../change/sides.js";
import type { SourceRule } from "../inspection.js";
import { reachInWords, shownUses, usesOf } from "./callers.js";
import { hasChangedCode } from "./changed-code.js";

/** @see docs/rules/inline-fan-out.md */
export const inlineFanOut: SourceRule = {
  id: "inline-fan-out",
  severity: "info",
  witnesses: ["source", "object"],
  summary: "changed code is inlined into other functions, which are carried with it",
  why: "Every function that embeds the old code must be redirected, or old and new behaviour live on side by side.",
  remedy: "Check that the list holds every user you expect.",
  sources: ["include/linux/compiler_types.h"],
  *check({ file, facts }) {
    const isHeader = file.path.endsWith(".h");
    for (const change of changesOf(file, "function")) {
      if (!hasChangedCode(change) || change.after.kept === "no") continue;
      const { after, name, place } = change;
      if (!after.isInline && !(isHeader && after.isStatic)) continue;
      const { uses, areAll } = usesOf(facts, name, file.path);
      if (uses.length === 0) continue;
      const atLeast = areAll ? "" : "at least ";
      yield {
        at: place,
        symbol: name,
        message: `'${name}' is compiled into ${atLeast}${reachInWords(uses, name)}`,
        related: shownUses(uses, name),
      };
    }
  },
};
