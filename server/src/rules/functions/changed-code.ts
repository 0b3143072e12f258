import type { ItemChange } from "../../change/change-set.js";
import type { FunctionItem } from "../../change/item.js";

/** Whether a function exists before and after, and does or takes something else: more than its annotations differ. */
export function hasChangedCode(
  change: ItemChange<FunctionItem>,
): change is ItemChange<FunctionItem> & { before: FunctionItem; after: FunctionItem } {
  const { before, after } = change;
  return (
    before !== undefined &&
    after !== undefined &&
    (before.body !== after.body || hasOtherTypes(before, after))
  );
}

/** Whether the types of parameters or result differ; other names are no difference. */
export function hasOtherTypes(before: FunctionItem, after: FunctionItem): boolean {
  return before.returns !== after.returns || before.parameters.join(",") !== after.parameters.join(",");
}
