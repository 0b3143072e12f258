import { diffArrays } from "diff";
import { type Declared, declaredBy, type Entry } from "./declared-names.js";
import { type HeaderItem, headerItems, isDirective, tokensOf } from "./header-items.js";

/** What of a header differs between two versions, in terms of the names that other code must use to notice. */
export interface ChangedNames {
  /** Who uses none of them compiles to the same. */
  readonly names: ReadonlyMap<string, NameKind>;
  /** `struct tag`, `union tag`: to be proven to be laid out as before. Who names no changed member compiles to the same. */
  readonly types: ReadonlySet<string>;
}

/** `value`: an enumerator. `code`: a function, a variable, a type. */
export type NameKind = "macro" | "value" | "code" | "member";

/**
 * What code that exists can notice of a change to a header. Left out are structs, unions, members and enumerators that
 * are new: whoever compiled without them does not use them.
 * @returns a sentence when that cannot be told by names
 */
export function changedNames(before: string, after: string): ChangedNames | string {
  const [old, now] = [headerItems(before), headerItems(after)];
  if (!old || !now) return "it is no list of whole declarations";
  const { gone, come } = difference(old, now);
  const directives = [...gone, ...come].filter(isDirective);
  const unnamed = directives.find(({ name }) => name === "");
  if (unnamed) return `'${unnamed.text.replace("# ", "#")}' comes or goes`;
  const [was, is] = [declaredByAll(gone), declaredByAll(come)];
  if (typeof was === "string") return was;
  if (typeof is === "string") return is;
  const [alias] = namesOf(was, "alias").filter((name) => namesOf(is, "alias").includes(name));
  if (alias !== undefined) return `type '${alias}' changes`;
  const values = changedValues(ofKind(was, "enum"), ofKind(is, "enum"));
  if (typeof values === "string") return values;

  const types = new Set<string>();
  const members: string[] = [];
  const tags: string[] = [];
  for (const one of ofKind(was, "type")) {
    const [other, second] = ofKind(is, "type").filter(({ tag }) => tag === one.tag);
    if (one.tag === "" || second || types.has(one.tag) || (other && other.around !== one.around))
      return `${one.tag || "a type without a name"} changes as a whole`;
    types.add(one.tag);
    if (other) members.push(...differing(one.entries, other.entries));
    else tags.push(one.tag.replace(/^\w+ /, ""));
  }
  const symbols = [was, is].flatMap((side) => [...namesOf(side, "symbol"), ...namesOf(side, "alias")]);
  const [inner, others] = [innerMacros(was), innerMacros(is)];
  const macros = [
    ...directives.map(({ name }) => name),
    ...differing(inner, others),
    ...differing(others, inner),
  ];
  // Of a name with several meanings the last one counts, which more can depend on.
  const kinds: [NameKind, Iterable<string>][] = [
    ["member", members],
    ["code", [...tags, ...symbols]],
    ["value", values],
    ["macro", macros],
  ];
  return {
    names: new Map(kinds.flatMap(([kind, names]) => [...names].map((name) => [name, kind] as const))),
    types,
  };
}

function difference(
  old: readonly HeaderItem[],
  now: readonly HeaderItem[],
): { gone: HeaderItem[]; come: HeaderItem[] } {
  const gone: HeaderItem[] = [];
  const come: HeaderItem[] = [];
  let [at, to] = [0, 0];
  for (const { removed, added, count } of diffArrays(old.map(keyOf), now.map(keyOf))) {
    if (removed) gone.push(...old.slice(at, at + count));
    if (added) come.push(...now.slice(to, to + count));
    if (!added) at += count;
    if (!removed) to += count;
  }
  // Declarations mean the same wherever they stand, unless a macro of the header does not yet, or no longer, apply.
  const macros = new Set([...old, ...now].flatMap((item) => (isDirective(item) ? [item.name] : [])));
  const canMove = (item: HeaderItem) => !isDirective(item) && !item.tokens.some((word) => macros.has(word));
  const both = new Set(come.filter(canMove).map(keyOf));
  const moved = new Set(gone.map(keyOf).filter((key) => both.has(key)));
  const rest = (side: HeaderItem[]) => side.filter((item) => !moved.has(keyOf(item)));
  return { gone: rest(gone), come: rest(come) };
}

function keyOf({ text, condition }: HeaderItem): string {
  return `${condition}\n${text}`;
}

function declaredByAll(items: readonly HeaderItem[]): Declared[] | string {
  const all: Declared[] = [];
  for (const item of items) {
    if (isDirective(item)) continue;
    const declared = declaredBy(item);
    if (typeof declared === "string") return declared;
    all.push(declared);
  }
  return all;
}

function ofKind(side: readonly Declared[], kind: Declared["kind"]): Declared[] {
  return side.filter((one) => one.kind === kind);
}

function innerMacros(side: readonly Declared[]): Entry[] {
  return side.flatMap(({ macros }) => macros);
}

function namesOf(side: readonly Declared[], kind: Declared["kind"]): string[] {
  return ofKind(side, kind).flatMap(({ names }) => names);
}

/** Names of what others have not, or have otherwise. */
function differing(some: readonly Entry[], others: readonly Entry[]): string[] {
  const known = new Set(others.map(({ text }) => text));
  return some.filter(({ text }) => !known.has(text)).flatMap(({ names }) => names);
}

/** Enumerators whose value is another, or may be. @returns a sentence when their enum may get another type */
function changedValues(was: readonly Declared[], is: readonly Declared[]): Set<string> | string {
  const [before, after] = [was, is].map((side) => side.flatMap(({ entries }) => entries));
  if (!before || !after || before.length === 0) return new Set();
  for (const { tag, around } of was) {
    const same = is.filter((one) => one.tag === tag);
    if (same.length > 0 && !same.some((one) => one.around === around))
      return `${tag || "an enum"} changes as a whole`;
  }
  const existed = new Set(before.flatMap(({ names }) => names));
  const own = new Set([...existed, ...after.flatMap(({ names }) => names)]);
  const known = new Set(before.map(({ text }) => text));
  const odd = after.find(
    ({ text, value = "" }) => !known.has(text) && !SMALL.test(value) && !own.has(value.replace(/ - 1$/, "")),
  );
  if (odd) return `'${odd.names[0]}' may be negative or large, and its enum then of another type`;
  const changed = new Set(differing(before, after));
  for (const name of differing(after, before)) if (existed.has(name)) changed.add(name);
  // What counts on them.
  for (let size = -1; size !== changed.size; ) {
    size = changed.size;
    for (const {
      names: [name = ""],
      value = "",
    } of after)
      if (existed.has(name) && tokensOf(value).some((word) => changed.has(word))) changed.add(name);
  }
  return changed;
}

/** Surely no negative number, and one of 31 bits; also when some are counted from it. */
const SMALL = /^(?:\d{1,9}|0[xX][0-7]?[\da-fA-F]{1,6}|1U? << (?:[12]?\d)|BIT \( (?:[12]?\d) \))$/;
