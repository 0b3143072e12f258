import { changesOf } from "../../change/sides.js";
import type { SourceRule } from "../inspection.js";
import { initAnnotation } from "./annotations.js";

/** @see docs/rules/function-removed.md */
export const functionRemoved: SourceRule = {
  id: "function-removed",
  severity: "info",
  witnesses: ["source", "object"],
  summary: "a function is gone",
  why: "The old code stays in memory, and whatever still calls it gets the old behaviour.",
  remedy: "Make sure that nothing outside the patch keeps calling it.",
  sources: ["Documentation/livepatch/livepatch.rst, 3. Consistency model"],
  *check({ file, changes, facts }) {
    for (const { before, after, name, place } of changesOf(file, "function")) {
      if (!before || after || before.kept === "no" || before.isInline) continue;
      if (initAnnotation(before.annotations, facts.tree.config)) continue;
      const elsewhere = changes.changes.find(
        (other) => other.after?.kind === "function" && !other.before && other.name === name,
      );
      yield {
        at: place,
        symbol: name,
        message: elsewhere
          ? `'${name}' has moved to ${elsewhere.file}: the old one stays in memory, and calls that are not patched keep going there`
          : `'${name}' is gone from the source, but stays in memory for whatever still calls it`,
      };
    }
  },
};
