import { kindOfFile } from "@kernel-hotpatch/kernel/build/file-kinds";
import type { FileChange } from "@kernel-hotpatch/kernel/build/patch-files";
import { decodeSource } from "../syntax/source-text.js";
import { syntaxErrors } from "../syntax/syntax-error.js";
import type { Edit, Engine, SyntaxTree } from "../syntax/tree.js";
import type { ChangedFile, ChangeSet, Hunk, ItemChange } from "./change-set.js";
import { hunksBetween, lineAfter, touches } from "./hunks.js";
import type { Item } from "./item.js";
import { type LineIndex, placeOfLine } from "./line-index.js";
import type { Place } from "./place.js";
import { type ConditionsAt, LazySourceFile, type Piece, piecesOf } from "./source-file.js";

/** Tells the conditions of a file's lines, given its text. */
export type ReadConditions = (path: string, text: string) => ConditionsAt;

/**
 * Reads what a patch changes, by meaning.
 * @param files what the patch makes of each file
 * @param readConditions which `#if` branches the kernel's configuration keeps
 */
export function readChangeSet(
  engine: Engine,
  files: readonly FileChange[],
  readConditions: ReadConditions,
): ChangeSet {
  const changed = files.map((file) => readChangedFile(engine, file, readConditions));
  const changes = changed.flatMap((file) => file.changes);
  const held = changed
    .flatMap(({ before, after }) => [before, after])
    .filter((file) => file instanceof LazySourceFile);
  return {
    files: changed,
    changes,
    release: () => {
      for (const file of held) file.release();
    },
  };
}

/** What a patch changes in one file. */
export function readChangedFile(
  engine: Engine,
  file: FileChange,
  readConditions: ReadConditions,
): ChangedFile {
  const { path } = file;
  const kind = kindOfFile(path);
  const common = {
    path,
    kind,
    existedBefore: file.before !== undefined,
    existsAfter: file.after !== undefined,
  };
  const isC = /\.[ch]$/.test(path);
  if (!isC) return { ...common, changes: [], hunks: [], unread: [], isCosmetic: false };

  const open = (bytes: Buffer | undefined) => {
    if (bytes === undefined) return undefined;
    const text = decodeSource(bytes);
    return new LazySourceFile(engine, path, text, readConditions(path, text));
  };
  const [before, after] = [open(file.before), open(file.after)];
  const hunks = hunksBetween(before?.lines.lines ?? [], after?.lines.lines ?? []);
  const { changes, unread } = compareFiles(engine, before, after, hunks);
  return {
    ...common,
    ...(before && { before }),
    ...(after && { after }),
    changes,
    hunks,
    unread,
    isCosmetic: changes.length === 0 && before !== undefined && after !== undefined,
  };
}

/** A piece as plain values: its tree may be gone. */
interface Held {
  readonly start: number;
  readonly end: number;
  /** Equal for pieces that mean the same in the same place: text and conditions. */
  readonly key: string;
}

function compareFiles(
  engine: Engine,
  before: LazySourceFile | undefined,
  after: LazySourceFile | undefined,
  hunks: readonly Hunk[],
): { changes: ItemChange[]; unread: Place[] } {
  const old = before && engine.parse(before.text);
  let now: SyntaxTree | undefined;
  try {
    const oldPieces = before && old ? piecesOf(old.root).map((piece) => hold(before, piece)) : [];
    if (old && before && after) moveTree(old, before.lines, after.lines, hunks);
    now = after && engine.parse(after.text, old);
    const nowPieces =
      after && now ? piecesOf(now.root).map((piece) => ({ ...hold(after, piece), piece })) : [];

    const [oldRest, nowRest] = withoutEqual(oldPieces, nowPieces);
    const gone = before ? oldRest.flatMap((held) => before.describeStretch(held.start, held.end)) : [];
    const come = after ? nowRest.flatMap(({ piece }) => after.describe(piece)) : [];
    const changes = pairs(gone, come, before, after, hunks);
    return { changes, unread: after && now ? unreadPlaces(after, now, hunks, come) : [] };
  } finally {
    old?.free();
    now?.free();
  }
}

function hold(file: LazySourceFile, piece: Piece): Held {
  const { start, end } = piece;
  return { start, end, key: `${file.conditionsOf(piece)}\0${file.text.slice(start, end)}` };
}

/** Moves the places of the tree of the text before to where they are in the text after. */
function moveTree(tree: SyntaxTree, before: LineIndex, after: LineIndex, hunks: readonly Hunk[]): void {
  const firstRow = ({ start, count }: Hunk["before"]) => (count === 0 ? start : start - 1);
  for (const hunk of hunks.toReversed()) {
    const row = firstRow(hunk.before);
    const newRow = firstRow(hunk.after);
    const startIndex = before.offsetOf(row);
    const length = after.offsetOf(newRow + hunk.after.count) - after.offsetOf(newRow);
    tree.edit({
      startIndex,
      oldEndIndex: before.offsetOf(row + hunk.before.count),
      newEndIndex: startIndex + length,
      startPosition: { row, column: 0 },
      oldEndPosition: { row: row + hunk.before.count, column: 0 },
      newEndPosition: { row: row + hunk.after.count, column: 0 },
    } satisfies Edit);
  }
}

/** Leaves out what both sides have, wherever it stands: moved code is no change. */
function withoutEqual<Now extends Held>(old: readonly Held[], now: readonly Now[]): [Held[], Now[]] {
  const counts = new Map<string, number>();
  for (const { key } of old) counts.set(key, (counts.get(key) ?? 0) + 1);
  const rest = now.filter(({ key }) => {
    const count = counts.get(key) ?? 0;
    if (count > 0) counts.set(key, count - 1);
    return count === 0;
  });
  const left = old.filter(({ key }) => {
    const count = counts.get(key) ?? 0;
    if (count > 0) counts.set(key, count - 1);
    return count > 0;
  });
  return [left, rest];
}

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

/** Errors of the new tree in changed lines or in changed items. */
function unreadPlaces(
  file: LazySourceFile,
  tree: SyntaxTree,
  hunks: readonly Hunk[],
  changed: readonly Item[],
): Place[] {
  if (!tree.root.hasError) return [];
  return syntaxErrors(tree, file.text)
    .filter(
      ({ line }) =>
        touches(hunks, line, line) || changed.some((item) => item.line <= line && line <= item.endLine),
    )
    .map(({ line, column }) => ({ file: file.path, line, column, endLine: line, endColumn: column + 1 }));
}
