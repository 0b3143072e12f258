import { kindOfFile } from "@kernel-hotpatch/kernel/build/file-kinds";
import type { FileChange } from "@kernel-hotpatch/kernel/build/patch-files";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import { editBetween } from "../syntax/edit.js";
import { decodeSource } from "../syntax/source-text.js";
import type { Edit, Engine, Stretch, SyntaxTree } from "../syntax/tree.js";
import type { ChangedFile, ChangeSet, Hunk } from "./change-set.js";
import { changedRegions } from "./changed-regions.js";
import { compareItems, type Held, heldPieces, type ReadStretch, readStretch } from "./compare-items.js";
import { firstRow, hunksBetween, lineAfter } from "./hunks.js";
import { LineIndex } from "./line-index.js";
import { severalAtATime } from "./several-at-a-time.js";
import { type ConditionsAt, LazySourceFile } from "./source-file.js";

/** Tells the conditions of a file's lines, given its text. */
export type ReadConditions = (path: string, text: string) => ConditionsAt;

/** What differs between two states of a C file, as plain values. */
export type Comparison = Pick<ChangedFile, "changes" | "hunks" | "unread">;

/** Compares the two states of one C file; by whomever, wherever. */
export type Compare = (file: FileChange) => Comparison | Promise<Comparison>;

/**
 * Reads what a patch changes, by meaning.
 * @param files what the patch makes of each file
 * @param readConditions which `#if` branches the kernel's configuration keeps
 * @param compare compares several files at a time when it is asked for them
 * @throws Fault `interrupted`; `bad-input` for a file too long to parse
 */
export async function readChangeSet(
  work: Pick<Work, "signal" | "progress">,
  engine: Engine,
  files: readonly FileChange[],
  readConditions: ReadConditions,
  compare: Compare = (file) => compareFile(engine, file, readConditions),
): Promise<ChangeSet> {
  const changed: ChangedFile[] = [];
  let done = 0;
  await severalAtATime(work, files.entries(), async ([at, file]) => {
    work.progress(`reading ${file.path}`, done++ / files.length);
    const compared = isC(file.path) ? await compare(file) : undefined;
    changed[at] = changedFile(engine, file, readConditions, compared);
  });
  return { files: changed, changes: changed.flatMap((file) => file.changes) };
}

/** What a patch changes in one file. */
export function readChangedFile(
  engine: Engine,
  file: FileChange,
  readConditions: ReadConditions,
): ChangedFile {
  const compared = isC(file.path) ? compareFile(engine, file, readConditions) : undefined;
  return changedFile(engine, file, readConditions, compared);
}

/** Compares the two states of a C file, item by item. */
export function compareFile(engine: Engine, file: FileChange, readConditions: ReadConditions): Comparison {
  const [before, after] = openSides(engine, file, readConditions);
  const hunks = hunksBetween(before?.lines.lines ?? [], after?.lines.lines ?? []);
  const inParts = before && after && compareRegions(engine, before, after, hunks);
  if (inParts) return { ...inParts, hunks };
  const old = before && engine.parse(before.text);
  let now: SyntaxTree | undefined;
  try {
    const held = before && old ? heldPieces(before, old.root) : [];
    // Most of the file is the same: its new tree grows out of the old one. Moving the old one costs its size each time.
    const grows = old && before && after && hunks.length <= MOST_MOVES;
    if (grows) moveTree(old, before.lines, after.lines, hunks);
    now = after && engine.parse(after.text, grows ? old : undefined);
    return {
      ...compareItems(before, held, after, after && now ? [readStretch(after, now)] : [], hunks),
      hunks,
    };
  } finally {
    old?.free();
    now?.free();
  }
}

/** Reads only what is around the differences. @returns undefined when that cannot be read by itself */
function compareRegions(
  engine: Engine,
  before: LazySourceFile,
  after: LazySourceFile,
  hunks: readonly Hunk[],
): Omit<Comparison, "hunks"> | undefined {
  const regions = changedRegions(before.lines, after.lines, hunks);
  if (!regions) return undefined;
  const held: Held[] = [];
  const now: SyntaxTree[] = [];
  try {
    for (const region of regions) {
      const pieces = piecesAlone(engine, before, region.before);
      if (!pieces) return undefined;
      held.push(...pieces);
      const tree = engine.parse(after.text, undefined, region.after);
      now.push(tree);
      if (tree.root.hasError) return undefined;
    }
    const read = now.map((tree) => readStretch(after, tree));
    return compareItems(before, held, after, read, hunks);
  } finally {
    for (const tree of now) tree.free();
  }
}

/** What a stretch of a file declares, read by itself. @returns undefined where it has errors */
function piecesAlone(engine: Engine, file: LazySourceFile, stretch: Stretch): readonly Held[] | undefined {
  const tree = engine.parse(file.text, undefined, stretch);
  try {
    return tree.root.hasError ? undefined : heldPieces(file, tree.root);
  } finally {
    tree.free();
  }
}

function openSides(
  engine: Engine,
  { path, before, after }: FileChange,
  readConditions: ReadConditions,
): [LazySourceFile | undefined, LazySourceFile | undefined] {
  const open = (bytes: Uint8Array | undefined) =>
    bytes && openSource(engine, path, decodeSource(bytes), readConditions);
  return [open(before), open(after)];
}

function changedFile(
  engine: Engine,
  file: FileChange,
  readConditions: ReadConditions,
  compared: Comparison | undefined,
): ChangedFile {
  const existence = { existedBefore: file.before !== undefined, existsAfter: file.after !== undefined };
  if (!compared) {
    const nothing = { changes: [], hunks: [], unread: [], isCosmetic: false };
    return { path: file.path, kind: kindOfFile(file.path), ...existence, ...nothing };
  }
  return { ...sides(file.path, openSides(engine, file, readConditions), compared), ...existence };
}

function sides(
  path: string,
  [before, after]: readonly [LazySourceFile | undefined, LazySourceFile | undefined],
  compared: Comparison,
): ChangedFile {
  return {
    path,
    kind: kindOfFile(path),
    ...(before && { before }),
    ...(after && { after }),
    existedBefore: before !== undefined,
    existsAfter: after !== undefined,
    ...compared,
    isCosmetic: compared.changes.length === 0 && before !== undefined && after !== undefined,
  };
}

const MOST_MOVES = 16;

/**
 * A file of C while somebody edits it, compared with what it was before. As a rule only what is around the differences is
 * parsed, so that half-typed code spoils nothing else; where that cannot be read by itself, the whole file's tree is held
 * and grows with the text until the file is closed.
 */
export class EditedFile {
  readonly #engine: Engine;
  readonly #path: string;
  readonly #readConditions: ReadConditions;
  readonly #before: LazySourceFile | undefined;
  /** What stretches of the text before declare; nothing where they have errors. */
  readonly #stretches = new Map<string, readonly Held[] | undefined>();
  /** Stretches of the text as it was read last: most are the same after the next key. */
  #now: ReadonlyMap<string, ReadStretch> = new Map();
  #whole: { readonly held: readonly Held[]; lines: LineIndex; tree: SyntaxTree } | undefined;
  #after: LazySourceFile | undefined;

  /** @param before the text it is compared with; undefined for a new file */
  constructor(engine: Engine, path: string, before: string | undefined, readConditions: ReadConditions) {
    this.#engine = engine;
    this.#path = path;
    this.#readConditions = readConditions;
    this.#before = before === undefined ? undefined : openSource(engine, path, before, readConditions);
  }

  /** @returns what the text as it is now changes; an earlier answer's syntax is not to be asked for any more */
  update(text: string): ChangedFile {
    this.#before?.forgetSyntax();
    this.#after?.release();
    const before = this.#before;
    const lines = new LineIndex(text);
    const hunks = hunksBetween(before?.lines.lines ?? [], lines.lines);
    const conditions = before && conditionsAfter(before, lines, hunks);
    const after = new LazySourceFile(
      this.#engine,
      this.#path,
      text,
      conditions ?? this.#readConditions(this.#path, text),
      lines,
    );
    this.#after = after;
    const compared =
      (before && this.#compareRegions(before, after, hunks)) ?? this.#compareWhole(after, hunks);
    return sides(this.#path, [before, after], { ...compared, hunks });
  }

  close(): void {
    this.#whole?.tree.free();
    this.#whole = undefined;
    this.#stretches.clear();
    this.#before?.release();
    this.#after?.release();
  }

  /** @returns undefined when what is around the differences cannot be read by itself */
  #compareRegions(
    before: LazySourceFile,
    after: LazySourceFile,
    hunks: readonly Hunk[],
  ): Omit<Comparison, "hunks"> | undefined {
    const regions = changedRegions(before.lines, after.lines, hunks);
    if (!regions) return undefined;
    const held: Held[] = [];
    for (const region of regions) {
      const found = this.#heldIn(before, region.before);
      if (!found) return undefined;
      held.push(...found);
    }
    // Errors here are what is being typed: what it was before had none.
    const now = new Map<string, ReadStretch>();
    for (const region of regions) {
      const key = stretchKey(after, region.after);
      now.set(key, this.#now.get(key) ?? this.#readNow(after, region.after));
    }
    this.#now = now;
    return compareItems(before, held, after, [...now.values()], hunks);
  }

  #readNow(after: LazySourceFile, stretch: Stretch): ReadStretch {
    const tree = this.#engine.parse(after.text, undefined, stretch);
    try {
      const { pieces, errors } = readStretch(after, tree);
      // Beyond the tree's life.
      const read = pieces.map(({ items, ...held }) => ({ held, items: items() }));
      return { pieces: read.map(({ held, items }) => ({ ...held, items: () => items })), errors };
    } finally {
      tree.free();
    }
  }

  #heldIn(before: LazySourceFile, stretch: Stretch): readonly Held[] | undefined {
    const key = `${stretch.startIndex} ${stretch.endIndex}`;
    if (this.#stretches.has(key)) return this.#stretches.get(key);
    const held = piecesAlone(this.#engine, before, stretch);
    if (this.#stretches.size >= MOST_STRETCHES) this.#stretches.clear();
    this.#stretches.set(key, held);
    return held;
  }

  #compareWhole(after: LazySourceFile, hunks: readonly Hunk[]): Omit<Comparison, "hunks"> {
    const whole = this.#whole ?? this.#openWhole();
    this.#whole = whole;
    if (whole.lines.text !== after.text) {
      // Since it was read last, the text may have been edited far apart: what lies between is not read again.
      const moves = hunksBetween(whole.lines.lines, after.lines.lines);
      const span = moves.length > MOST_MOVES && editBetween(whole.lines.text, after.text);
      if (span) whole.tree.edit(span);
      else moveTree(whole.tree, whole.lines, after.lines, moves);
      const tree = this.#engine.parse(after.text, whole.tree);
      whole.tree.free();
      whole.tree = tree;
      whole.lines = after.lines;
    }
    return compareItems(this.#before, whole.held, after, [readStretch(after, whole.tree)], hunks);
  }

  #openWhole() {
    const lines = this.#before?.lines ?? new LineIndex("");
    const tree = this.#engine.parse(lines.text);
    return { held: this.#before ? heldPieces(this.#before, tree.root) : [], lines, tree };
  }
}

/** Far more than anybody edits at a time. */
const MOST_STRETCHES = 200;

/** Equal for stretches that declare the same in the same place. */
function stretchKey(file: LazySourceFile, { startIndex, endIndex, startPosition: { row } }: Stretch): string {
  return JSON.stringify([startIndex, row, file.conditionsAt(row + 1), file.text.slice(startIndex, endIndex)]);
}

/**
 * The conditions of a text's lines, told by those of the text before.
 * @returns undefined where a difference may be part of a directive or a comment
 */
function conditionsAfter(
  before: LazySourceFile,
  after: LineIndex,
  hunks: readonly Hunk[],
): ConditionsAt | undefined {
  const isPlain = (lines: LineIndex, { start, count }: Hunk["before"]) => {
    // What goes on in the next line ends with the line before, too.
    for (let line = start - 1; line < start + count; line++)
      if (/#|\/\*|\*\/|\\$/.test(lines.line(line))) return false;
    return true;
  };
  if (!hunks.every((hunk) => isPlain(before.lines, hunk.before) && isPlain(after, hunk.after)))
    return undefined;
  const back = hunks.map((hunk) => ({ before: hunk.after, after: hunk.before }));
  return (line) => before.conditionsAt(lineAfter(back, line));
}

/** Whether the grammar reads files of this name. */
export function isC(path: string): boolean {
  return /\.[ch]$/.test(path);
}

function openSource(
  engine: Engine,
  path: string,
  text: string,
  readConditions: ReadConditions,
): LazySourceFile {
  return new LazySourceFile(engine, path, text, readConditions(path, text));
}

/** Moves the places of the tree of the text before to where they are in the text after. */
function moveTree(tree: SyntaxTree, before: LineIndex, after: LineIndex, hunks: readonly Hunk[]): void {
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
