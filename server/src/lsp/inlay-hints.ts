import { type InlayHint, InlayHintKind, type Range } from "vscode-languageserver/node";
import { changedFunctionsOf } from "./changed-functions.js";
import type { KernelTree, OpenFile } from "./kernel-tree.js";
import { overlaps } from "./places.js";

const MOST_NAMES = 3;

/** Behind the name of a changed function, the functions that embed it. */
export function inlayHintsOf(tree: KernelTree, file: OpenFile, range: Range): InlayHint[] {
  const lines = file.changed?.after?.lines;
  if (!lines) return [];
  return changedFunctionsOf(tree, file).flatMap(({ item, inlinedInto }) => {
    const [first] = inlinedInto;
    const { endLine, endColumn } = lines.place(file.path, item.nameStart, item.nameEnd);
    const position = { line: endLine - 1, character: endColumn - 1 };
    if (first === undefined || !overlaps({ start: position, end: position }, range)) return [];
    const more = inlinedInto.length - MOST_NAMES;
    const names = inlinedInto.slice(0, MOST_NAMES).join(", ");
    const hint: InlayHint = {
      position,
      label: `inlined into ${names}${more > 0 ? ` and ${more} more` : ""}`,
      kind: InlayHintKind.Type,
      paddingLeft: true,
      paddingRight: true,
      tooltip: `The compiled objects show it in ${inlinedInto.join(", ")}, which the hot patch carries with it.`,
    };
    return [hint];
  });
}
