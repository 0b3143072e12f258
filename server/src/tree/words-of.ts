import type { ChangeSet, ItemChange } from "../change/change-set.js";
import { enumeratorValues } from "../change/enumerators.js";
import type { DataItem, Item, TypeItem } from "../change/item.js";

/** The names that rules may ask a change's tree for. */
export interface Words {
  /** What other files of the tree can use, or define as well. */
  readonly tree: ReadonlySet<string>;
  /** What only its own file can use; by name, the files that have one of that name. */
  readonly local: ReadonlyMap<string, ReadonlySet<string>>;
  /** Those of either that name a function. */
  readonly functions: ReadonlySet<string>;
}

/** Which names of a change are worth a search. */
export function wordsOf(changes: Pick<ChangeSet, "changes">): Words {
  const tree = new Set<string>();
  const local = new Map<string, Set<string>>();
  const functions = new Set<string>();
  for (const change of changes.changes) {
    const isOfFile = isOfFileOnly(change);
    for (const name of namesOf(change)) {
      if (!/^[A-Za-z_]\w*$/.test(name)) continue;
      const { kind } = change.before ?? change.after;
      // What is exported is a function as a rule.
      if (kind === "function" || kind === "prototype" || kind === "call") functions.add(name);
      if (isOfFile) local.set(name, (local.get(name) ?? new Set()).add(change.file));
      else tree.add(name);
    }
    for (const name of membersOf(change)) tree.add(name);
  }
  for (const name of tree) local.delete(name);
  return { tree, local, functions };
}

/** Whether only the file itself can use it. */
function isOfFileOnly(change: ItemChange): boolean {
  if (!change.file.endsWith(".c")) return false;
  const sides: Item[] = [change.before, change.after].filter((item) => item !== undefined);
  return sides.every(isLocal);
}

function isLocal(item: Item): boolean {
  switch (item.kind) {
    case "function":
    case "data":
      return item.isStatic;
    case "prototype":
      return item.annotations.includes("static");
    case "type":
    case "typedef":
    case "macro":
      return true;
    default:
      return false;
  }
}

function namesOf(change: ItemChange): string[] {
  const item = change.before ?? change.after;
  switch (item.kind) {
    case "function":
    case "prototype":
    case "data":
    case "typedef":
    case "macro":
      return [item.name];
    case "type":
      return typeNames(item, change as ItemChange<TypeItem>);
    case "call": {
      const [symbol = ""] = item.arguments;
      return /^_*EXPORT_/.test(item.macro) ? [symbol] : [];
    }
    default:
      return [];
  }
}

/** Its tag, and of an enum what changed its value. */
function typeNames(item: TypeItem, { before, after }: ItemChange<TypeItem>): string[] {
  const tag = item.name.replace(/^(?:struct|union|enum)\s+/, "");
  if (item.keyword !== "enum") return [tag];
  const [old, now] = [before, after].map((type) =>
    type ? enumeratorValues(type) : new Map<string, string>(),
  );
  const changed = [...new Set([...(old?.keys() ?? []), ...(now?.keys() ?? [])])].filter(
    (name) => old?.get(name) !== now?.get(name),
  );
  return [tag, ...changed];
}

/** Members of a table of functions that changed: whoever calls them is of interest. */
function membersOf({ before, after }: ItemChange): string[] {
  if (before?.kind !== "data" || after?.kind !== "data" || before.struct === undefined) return [];
  const text = (item: DataItem) => new Map(item.elements.map(({ designator, value }) => [designator, value]));
  const [old, now] = [text(before), text(after)];
  return [...new Set([...old.keys(), ...now.keys()])]
    .filter((designator) => /^\.\w+$/.test(designator) && old.get(designator) !== now.get(designator))
    .map((designator) => designator.slice(1));
}
