import { syntaxErrors, type SyntaxError as Unread } from "../syntax/syntax-error.js";
import type { SyntaxNode, SyntaxTree } from "../syntax/tree.js";
import type { Hunk, ItemChange } from "./change-set.js";
import { lineAfter, touches } from "./hunks.js";
import type { Item } from "./item.js";
import { placeOfLine } from "./line-index.js";
import { oncePerText } from "./once.js";
import type { Place } from "./place.js";
import { type LazySourceFile, type Piece, piecesOf } from "./source-file.js";
import { normalForm } from "./tokens.js";

/** A piece as plain values: its tree may be gone. */
export interface Held {
  readonly start: number;
  readonly end: number;
  /** Equal for pieces that mean the same in the same place: text and conditions. */
  readonly key: string;
}

/** What a stretch of the patched file declares, and where it cannot be read. */
export interface ReadStretch {
  readonly pieces: readonly (Held & { readonly items: () => readonly Item[] })[];
  readonly errors: readonly Unread[];
}

/** @param tree of the patched file, or of a stretch of it: what a piece declares is read from it when it is asked for */
export function readStretch(file: LazySourceFile, tree: SyntaxTree): ReadStretch {
  return {
    pieces: piecesOf(tree.root).map((piece) => ({ ...hold(file, piece), items: () => file.describe(piece) })),
    errors: tree.root.hasError ? syntaxErrors(tree, file.text) : [],
  };
}

/** Everything a file declares, as plain values. @param root of its tree */
export function heldPieces(file: LazySourceFile, root: SyntaxNode): Held[] {
  return piecesOf(root).map((piece) => hold(file, piece));
}

/**
 * What differs between what a file declared and what it declares now.
 * @param old what it declared; empty for a new file
 * @param now what it declares now; nothing for a removed file
 */
export function compareItems(
  before: LazySourceFile | undefined,
  old: readonly Held[],
  after: LazySourceFile | undefined,
  now: readonly ReadStretch[],
  hunks: readonly Hunk[],
): { changes: ItemChange[]; unread: Place[] } {
  const pieces = now.flatMap((stretch) => stretch.pieces);
  // Most are the same to the letter; of the few that are left, those that are only written otherwise.
  const [left, rest] = withoutEqual(old, pieces, ({ key }) => key);
  const [gone, come] = withoutEqual(left, rest, ({ key }) => normalForms(key));
  const removed = before ? gone.flatMap(({ start, end }) => before.describeStretch(start, end)) : [];
  const added = come.flatMap(({ items }) => items());
  const changes = pairs(removed, added, before, after, hunks);
  const errors = now.flatMap((stretch) => stretch.errors);
  return { changes, unread: after ? unreadPlaces(after, errors, hunks, added) : [] };
}

function hold(file: LazySourceFile, piece: Piece): Held {
  const { start, end } = piece;
  return { start, end, key: `${file.conditionsOf(piece)}\0${file.text.slice(start, end)}` };
}

/** Leaves out what both sides have, wherever it stands: moved code is no change. */
function withoutEqual<Now extends Held>(
  old: readonly Held[],
  now: readonly Now[],
  keyOf: (held: Held) => string,
): [Held[], Now[]] {
  const counts = new Map<string, number>();
  for (const held of old) counts.set(keyOf(held), (counts.get(keyOf(held)) ?? 0) + 1);
  const rest = now.filter((held) => {
    const count = counts.get(keyOf(held)) ?? 0;
    if (count > 0) counts.set(keyOf(held), count - 1);
    return count === 0;
  });
  const left = old.filter((held) => {
    const count = counts.get(keyOf(held)) ?? 0;
    if (count > 0) counts.set(keyOf(held), count - 1);
    return count > 0;
  });
  return [left, rest];
}

/** The key of a piece with its text in normal form. */
const normalForms = oncePerText((key) => {
  const end = key.indexOf("\0");
  return `${key.slice(0, end)}\0${normalForm(key.slice(end + 1))}`;
}, 2 ** 22);

/** Brings together what has one kind and name; of several, those under the same conditions, then in their order. */
function pairs(
  gone: readonly Item[],
  come: readonly Item[],
  before: LazySourceFile | undefined,
  after: LazySourceFile | undefined,
  hunks: readonly Hunk[],
): ItemChange[] {
  const changes: ItemChange[] = [];
  const left = new Set(gone);
  const candidates = new Map<string, Item[]>();
  for (const item of gone) candidates.set(keyOf(item), [...(candidates.get(keyOf(item)) ?? []), item]);
  const take = (item: Item): Item | undefined => {
    const all = (candidates.get(keyOf(item)) ?? []).filter((other) => left.has(other));
    const same = (other: Item) => other.conditions.join("\n") === item.conditions.join("\n");
    const found =
      all.find((other) => other.tokens === item.tokens && same(other)) ?? all.find(same) ?? all[0];
    if (found) left.delete(found);
    return found;
  };
  for (const item of come) {
    const other = take(item);
    if (other && isSame(other, item)) continue;
    const place = after?.lines.place(item.file, item.nameStart, item.nameEnd) ?? placeAtTop(item.file);
    const { file, name } = item;
    changes.push(
      other
        ? ({ file, name, place, before: other, after: item } as ItemChange)
        : { file, name, place, after: item },
    );
  }
  for (const item of left) {
    const line = lineAfter(hunks, item.line);
    const place = after
      ? placeOfLine(after.lines, item.file, line)
      : (before?.lines.place(item.file, item.nameStart, item.nameEnd) ?? placeAtTop(item.file));
    changes.push({ file: item.file, name: item.name, place, before: item });
  }
  return changes.sort((a, b) => a.place.line - b.place.line);
}

function keyOf({ kind, name }: Item): string {
  return `${kind} ${name}`;
}

function isSame(before: Item, after: Item): boolean {
  return before.tokens === after.tokens && before.conditions.join("\n") === after.conditions.join("\n");
}

function placeAtTop(file: string): Place {
  return { file, line: 1, column: 1, endLine: 1, endColumn: 1 };
}

/** Errors in changed lines or in changed items. */
function unreadPlaces(
  { path }: LazySourceFile,
  errors: readonly Unread[],
  hunks: readonly Hunk[],
  changed: readonly Item[],
): Place[] {
  return errors
    .filter(
      ({ line }) =>
        touches(hunks, line, line) || changed.some((item) => item.line <= line && line <= item.endLine),
    )
    .map(({ line, column }) => ({ file: path, line, column, endLine: line, endColumn: column + 1 }));
}
