import { changedFunctions, placeOfNode } from "../../change/sides.js";
import { STATIC, staticLocals } from "../../change/static-locals.js";
import type { SourceRule } from "../inspection.js";

/** @see docs/rules/static-local-added.md */
export const staticLocalAdded: SourceRule = {
  id: "static-local-added",
  severity: "info",
  witnesses: ["source", "object"],
  summary: "a new static local variable is carried",
  why: "It starts from its initial value when the patch is loaded and is lost when the patch goes.",
  remedy: "Nothing to do if a fresh start is harmless.",
  sources: ["Documentation/livepatch/system-state.rst"],
  *check({ file }) {
    for (const { change, before, after } of changedFunctions(file, STATIC)) {
      if (!after) continue;
      const old = new Set(
        (before ? staticLocals(before) : []).filter(({ isUsed }) => isUsed).map(({ name }) => name),
      );
      for (const { name, isConst, isPerCpu, isUsed, at } of staticLocals(after)) {
        // What is constant keeps nothing that could be lost; per-CPU variables are percpu-changed's.
        if (isConst || isPerCpu || !isUsed || old.has(name)) continue;
        yield {
          at: placeOfNode(file, at),
          symbol: name,
          message: `'${change.name}' has a new static variable '${name}', which starts anew whenever the patch is loaded`,
        };
      }
    }
  },
};
