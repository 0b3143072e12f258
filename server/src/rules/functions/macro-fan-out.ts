import { changesOf } from "../../change/sides.js";
import type { SourceRule } from "../inspection.js";
import { reachInWords, shownUses, usesOf } from "./callers.js";

/** @see docs/rules/macro-fan-out.md */
export const macroFanOut: SourceRule = {
  id: "macro-fan-out",
  severity: "info",
  witnesses: ["source"],
  summary: "a changed macro is expanded in functions that no line of the patch touches",
  why: "Every function that expands the old text must be redirected, or old and new behaviour live on side by side.",
  remedy: "Check that the list holds every user you expect; a macro of one .c file reaches fewer.",
  sources: ["Documentation/process/coding-style.rst, 12) Macros, Enums and RTL"],
  *check({ file, facts }) {
    for (const { before, after, name, place } of changesOf(file, "macro")) {
      if (!before || !after || after.kept === "no") continue;
      if (before.body === after.body && before.parameters?.join() === after.parameters?.join()) continue;
      const { uses, areAll } = usesOf(facts, name, file.path);
      if (uses.length === 0) continue;
      const atLeast = areAll ? "" : "at least ";
      yield {
        at: place,
        symbol: name,
        message: `'${name}' is used in ${atLeast}${reachInWords(uses, name)}`,
        related: shownUses(uses, name),
      };
    }
  },
};
