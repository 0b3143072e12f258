import type { SyntaxNode } from "../syntax/tree.js";
import type { ChangedFile, ItemChange } from "./change-set.js";
import type { FunctionItem } from "./item.js";
import type { Place } from "./place.js";

/** The syntax of a changed function, before and after; nodes are valid while rules look at its file. */
export interface Sides {
  readonly change: ItemChange<FunctionItem>;
  readonly before?: SyntaxNode;
  readonly after?: SyntaxNode;
}

/**
 * Changed functions of a file that the configuration does not leave out, with their syntax.
 * @param word only those with this in the text of a body: syntax costs more than text
 */
export function changedFunctions(file: ChangedFile, word?: RegExp): Sides[] {
  return changesOf(file, "function")
    .filter(({ before, after }) => (after ?? before)?.kept !== "no")
    .filter(({ before, after }) => !word || word.test(before?.body ?? "") || word.test(after?.body ?? ""))
    .map((change) => sidesOf(file, change));
}

/** A changed function of a file with its syntax. */
export function sidesOf(file: ChangedFile, change: ItemChange<FunctionItem>): Sides {
  const before = change.before && file.before?.syntax(change.before);
  const after = change.after && file.after?.syntax(change.after);
  return { change, ...(before && { before }), ...(after && { after }) };
}

/** Changed items of one kind in a file. */
export function changesOf<Kind extends ItemKind>(file: ChangedFile, kind: Kind): ItemChange<ItemOf<Kind>>[] {
  return file.changes.filter((change) => (change.after ?? change.before)?.kind === kind) as ItemChange<
    ItemOf<Kind>
  >[];
}

type AnyItem = NonNullable<ItemChange["after"]>;
type ItemKind = AnyItem["kind"];
type ItemOf<Kind extends ItemKind> = Extract<AnyItem, { kind: Kind }>;

/** Where a node of the patched text stands. */
export function placeOfNode(file: ChangedFile, node: SyntaxNode): Place {
  const { startPosition: start, endPosition: end } = node;
  return {
    file: file.path,
    line: start.row + 1,
    column: start.column + 1,
    endLine: end.row + 1,
    endColumn: end.column + 1,
  };
}
