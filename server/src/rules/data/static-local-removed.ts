import type { ChangedFile } from "../../change/change-set.js";
import type { Place } from "../../change/place.js";
import { changedFunctions, placeOfNode } from "../../change/sides.js";
import { STATIC, staticLocals } from "../../change/static-locals.js";
import type { SourceRule } from "../inspection.js";

/** @see docs/rules/static-local-removed.md */
export const staticLocalRemoved: SourceRule = {
  id: "static-local-removed",
  severity: "unsafe",
  witnesses: ["source", "object"],
  summary: "the last reference to a static local variable is gone",
  why: "Static locals are matched between the objects by the functions that use them; without a user the match, and with it the live value, is lost.",
  remedy: "Keep a reference to it in the patched function.",
  sources: ["kpatch's patch author guide, static local variables"],
  *check({ file }) {
    for (const { change, before, after } of changedFunctions(file, STATIC)) {
      // A function that goes as a whole takes its state with it.
      if (!before || !after || !change.after) continue;
      const now = staticLocals(after).filter(({ isUsed }) => isUsed);
      for (const local of staticLocals(before)) {
        if (!local.isUsed || local.isPerCpu || now.some(({ name }) => name === local.name)) continue;
        const common = { at: change.place, symbol: change.name };
        const heir = heirOf(local.name, change.name, file);
        // What is constant holds nothing that could be lost.
        if (local.isConst) continue;
        if (heir)
          yield {
            ...common,
            at: heir.at,
            message: `static variable '${local.name}' leaves '${change.name}' and becomes ${heir.what}: that one starts anew, without what the old one holds`,
            why: "The patch brings a new variable of this name along; nothing connects it with the live one, so counts, flags or pointers kept there are lost.",
            remedy: `Leave '${local.name}' where it is, and let the other code reach it through '${change.name}'.`,
          };
        else
          yield {
            ...common,
            severity: "needs-review",
            message: `'${change.name}' no longer uses its static variable '${local.name}': its value stays behind unused`,
            why: "New code does without what the variable holds, and old code, during the transition and after the patch is taken away, goes on with a value that is out of date.",
            remedy:
              "Check that a stale value is harmless, or go on keeping it up to date in the patched function.",
          };
      }
    }
  },
};

/** What has the variable's name from now on: a fresh one that the live one does not become. */
function heirOf(name: string, from: string, file: ChangedFile): { at: Place; what: string } | undefined {
  const global = file.changes.find(
    (other) => other.name === name && other.after?.kind === "data" && !other.before,
  );
  if (global) return { at: global.place, what: "a variable of the file" };
  for (const { change, before, after } of changedFunctions(file, STATIC)) {
    if (change.name === from || !after) continue;
    const local = staticLocals(after).find((one) => one.name === name && one.isUsed);
    const isNew = !before || !staticLocals(before).some((one) => one.name === name);
    if (local && isNew) return { at: placeOfNode(file, local.at), what: `one of '${change.name}'` };
  }
  return undefined;
}
