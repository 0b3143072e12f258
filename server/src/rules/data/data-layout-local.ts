import type { SourceRule } from "../inspection.js";
import { isLocal, layoutChanges, typeChanges } from "./layout-change.js";

/** @see docs/rules/data-layout-local.md */
export const dataLayoutLocal: SourceRule = {
  id: "data-layout-local",
  severity: "info",
  witnesses: ["source"],
  summary:
    "a type that is new, or that lives only on the stack of patched functions, is laid out by the patch",
  why: "No object of an older layout is alive while new code runs, and no code outside the patch knows the type: a task runs either all old or all new functions.",
  remedy: "Nothing to do, as long as no object of it is handed to unpatched code.",
  sources: ["Documentation/livepatch/livepatch.rst, section 3"],
  *check(inspection) {
    for (const { before, after, place } of typeChanges(inspection))
      if (!before && after && after.keyword !== "enum")
        yield { at: place, symbol: after.name, message: `'${after.name}' is new: only the patch knows it` };
    for (const change of layoutChanges(inspection))
      if (isLocal(change, inspection))
        yield {
          at: change.at,
          symbol: change.name,
          message: `'${change.name}' ${change.what}; it lives only on the stack of functions that the patch replaces`,
        };
  },
};
