import type { SourceRule } from "../inspection.js";
import { dataChanges } from "./live-data.js";

/** @see docs/rules/data-added.md */
export const dataAdded: SourceRule = {
  id: "data-added",
  severity: "info",
  witnesses: ["source", "object"],
  summary: "new data is carried in the patch module",
  why: "It belongs to the module: it is lost when the patch is unloaded or replaced.",
  remedy: "If it must survive a later version of the patch, use the livepatch system state (klp_state).",
  sources: ["Documentation/livepatch/system-state.rst"],
  *check(inspection) {
    const { changes } = inspection;
    for (const { before, after, name, place } of dataChanges(inspection)) {
      if (before || !after) continue;
      // What another file of the patch gives up under this name is moved, and the live one is left behind.
      const origin = changes.changes.find(
        (other) =>
          other.name === name && other.before?.kind === "data" && !other.after && !other.before.isExtern,
      );
      const isShared = origin?.before?.kind === "data" && !origin.before.isStatic && !after.isStatic;
      if (origin && isShared)
        yield {
          at: place,
          symbol: name,
          severity: "unsafe",
          message: `'${name}' moves here from ${origin.file}: the patch would bring a second one along, beside the live one`,
          why: "Unpatched code goes on using the variable where it was; patched code would use another one.",
          remedy: "Leave the variable's definition in the file where it was.",
        };
      else
        yield {
          at: place,
          symbol: name,
          message: after.isConst
            ? `new constant '${name}' comes with the patch and is gone when the patch is`
            : `new variable '${name}' comes with the patch; what it holds is lost when the patch goes`,
        };
    }
  },
};
