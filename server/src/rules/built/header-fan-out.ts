import { UNIT_LIMIT } from "@kernel-hotpatch/kernel/build/units";
import type { ItemChange } from "../../change/change-set.js";
import { purposeOfMacro } from "../../change/file-scope-macros.js";
import { firstChange } from "../../change/first-change.js";
import type { SourceRule } from "../inspection.js";

/** @see docs/rules/header-fan-out.md */
export const headerFanOut: SourceRule = {
  id: "header-fan-out",
  severity: "needs-review",
  witnesses: ["source"],
  summary: "a changed header reaches more files than can be compiled for one hot patch",
  why: "Every file that uses what changed in it carries the change; each is compiled and judged by itself.",
  remedy: "Move the change into the .c files that need it.",
  sources: ["kpatch patch author guide, Header file changes"],
  *check({ file, facts }) {
    const { path, kind, existedBefore, changes, isCosmetic } = file;
    if (kind.role !== "header" || !existedBefore || isCosmetic) return;
    const counting = changes.filter(({ before, after }) => (after ?? before)?.kept !== "no");
    if (counting.length === 0) return;
    const { units, atLeast } = facts.reach(path);
    if (units <= UNIT_LIMIT && !atLeast) return;
    const count = `${atLeast ? "at least " : ""}${units} units`;
    const alterings = counting.filter((change) => !onlyDeclares(change));
    const altering =
      alterings.find(({ before, after }) => (after ?? before)?.kind !== "include") ?? alterings[0];
    yield altering
      ? {
          at: altering.place,
          symbol: altering.name,
          message: `${path} is included by ${count}, each of which may carry the change of '${altering.name}'; the build looks at those that name it, up to ${UNIT_LIMIT}`,
        }
      : {
          at: firstChange(file),
          severity: "info",
          message: `${path} is included by ${count}; it only gains or loses names that existing code does not use`,
          remedy: "Nothing, if no other file has such a name; the build looks for those that do.",
        };
  },
};

/** Whether code that was there before compiles to the same, whatever it uses. */
function onlyDeclares({ before, after }: ItemChange): boolean {
  const item = after ?? before;
  if (!item || (before && after)) return false;
  switch (item.kind) {
    case "prototype":
      return true;
    case "data":
      return item.isExtern;
    case "call":
      return purposeOfMacro(item.macro) === "declares";
    case "other":
      return /^(?:struct|union|enum) \w+(?: ;)?$/.test(item.tokens);
    // One that is gone is used no more, or nothing would compile.
    case "function":
    case "type":
    case "typedef":
      return true;
    case "macro":
      return before === undefined;
    default:
      return false;
  }
}
