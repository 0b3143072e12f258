import { changesOf } from "../../change/sides.js";
import type { SourceRule } from "../inspection.js";

/** @see docs/rules/static-data-changed.md */
export const staticDataChanged: SourceRule = {
  id: "static-data-changed",
  severity: "unsafe",
  witnesses: ["source", "object"],
  summary: "the initial value of an existing variable changed",
  why: "The variable is live: its initial value was used at boot and what it holds now belongs to the running kernel.",
  remedy: "Set the value in a callback, or branch in the code that reads it.",
  sources: ["Documentation/livepatch/callbacks.rst"],
  *check({ file }) {
    for (const { before, after, place } of changesOf(file, "data")) {
      if (!before || !after || after.kept === "no" || before.isExtern || after.isExtern) continue;
      if (before.initial === after.initial || before.isPerCpu) continue;
      yield {
        at: place,
        symbol: after.name,
        message: `'${after.name}' starts as ${shown(after.initial)} instead of ${shown(before.initial)}; the running kernel has set up the old one long ago`,
      };
    }
  },
};

function shown(initial: string | undefined): string {
  if (initial === undefined) return "zero";
  return initial.length > 40 ? "another value" : initial;
}
