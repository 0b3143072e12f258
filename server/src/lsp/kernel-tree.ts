import { setImmediate } from "node:timers/promises";
import type { FileChange } from "@kernel-hotpatch/kernel/build/patch-files";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import type { ChangedFile, ChangeSet } from "../change/change-set.js";
import type { Item } from "../change/item.js";
import {
  EditedFile,
  isC,
  type ReadConditions,
  readChangedFile,
  readChangeSet,
} from "../change/read-change-set.js";
import { LazySourceFile } from "../change/source-file.js";
import { asFault } from "../review/as-fault.js";
import { askRulesSoFar } from "../review/check-files.js";
import type { Finding } from "../review/finding.js";
import { mergeWitnesses } from "../review/merge-witnesses.js";
import type { Review } from "../review/review.js";
import { type SourceWorkers, startWorkers } from "../review/source-workers.js";
import { suppress } from "../review/suppress.js";
import { decodeSource } from "../syntax/source-text.js";
import type { Engine } from "../syntax/tree.js";
import { readConditionsOf } from "../tree/conditions.js";
import { factsSoFar } from "../tree/facts-so-far.js";
import { gatherFacts } from "../tree/gather-facts.js";
import { NotGathered, type TreeFacts } from "../tree/tree-facts.js";
import { wordsOf } from "../tree/words-of.js";
import type { Base } from "./base.js";
import type { Target } from "./target.js";

/** Longer texts are not analysed while somebody types, in UTF-16 units: three of the kernel's C files are. */
export const LONGEST_TEXT = 4 * 1024 * 1024;
/** Files whose syntax is held, in one tree. */
const MOST_EDITED = 8;
/** Milliseconds: keys that come at once are judged together. */
const TOGETHER = 2;
const SLOW = 150;
const LONGEST_WAIT = 2000;
/** Milliseconds after which the tree is asked again, when rules wait for it and when they do not. */
const SOON = 150;
const WHEN_IDLE = 500;

/** A document that is open in the editor. */
export interface OpenFile {
  /** Relative to the root of the tree. */
  readonly path: string;
  readonly version: number;
  readonly text: string;
  /** What it is compared with: undefined until that is read, its text undefined for a new file. */
  readonly base: Before | undefined;
  /** Absent while it is equal to its base, or too long. */
  readonly changed: ChangedFile | undefined;
  /** What the source witness says. */
  readonly said: readonly Finding[];
}

interface Before {
  readonly bytes: Buffer | undefined;
  readonly text: string | undefined;
}

type Held = { -readonly [Key in keyof OpenFile]: OpenFile[Key] } & {
  edited: EditedFile | undefined;
  timer: NodeJS.Timeout | undefined;
  /** Milliseconds that it took to judge it the last time. */
  cost: number;
};

export interface Listener {
  /** What is to be said of a file may have changed. */
  judged(file: OpenFile): void;
  /** The objects answered: what is shown besides findings may have changed. */
  answered(): void;
  /** Something that no person can act on, or that is told elsewhere. */
  log(message: string): void;
}

/** What the objects of a change say, and of which change. */
interface ObjectAnswer {
  readonly review: Review;
  readonly changes: readonly FileChange[];
  /** The state of the tree that it was last compared with, and how that went. */
  compared: number;
  holds: boolean;
}

/** A kernel tree in which files are being edited: what differs from its base, and what the witnesses say of it. */
export class KernelTree {
  /** As the editor spells it. */
  readonly root: string;
  readonly target: Target;
  readonly base: Base;
  readonly #work: Work;
  readonly #engine: Engine;
  readonly #listener: Listener;
  readonly #open = new Map<string, Held>();
  /** Those whose syntax is held, the one used last at the end. */
  readonly #edited = new Set<Held>();
  readonly #closed = new AbortController();
  #conditions: ReadConditions;
  #facts: TreeFacts;
  /** Files that differ on disk. */
  #onDisk: readonly FileChange[] = [];
  #readOnDisk: readonly ChangedFile[] = [];
  #gathering: { readonly key: string; readonly stop: AbortController } | undefined;
  #hasGathered = false;
  #gatherTimer: NodeJS.Timeout | undefined;
  #lookTimer: NodeJS.Timeout | undefined;
  #workers: SourceWorkers | undefined;
  /** What went wrong in the background, by what was tried. */
  readonly #troubles = new Map<string, string>();
  /** Counts what makes earlier answers of the objects void. */
  #edits = 0;
  #answer: ObjectAnswer | undefined;

  constructor(work: Work, engine: Engine, root: string, target: Target, base: Base, listener: Listener) {
    this.#work = { ...work, signal: AbortSignal.any([work.signal, this.#closed.signal]) };
    this.#engine = engine;
    this.root = root;
    this.target = target;
    this.base = base;
    this.#listener = listener;
    this.#conditions = readConditionsOf(target.tree);
    this.#facts = factsSoFar(target.tree, undefined, new Set());
  }

  /** Why something about the change could not be found out. */
  get troubles(): readonly string[] {
    return [...this.#troubles.values()];
  }

  get files(): ReadonlyMap<string, OpenFile> {
    return this.#open;
  }

  /** Begins to judge a document; its text may be edited before that is done. */
  async open(path: string, text: string, version: number): Promise<void> {
    const file: Held = {
      path,
      text,
      version,
      base: undefined,
      changed: undefined,
      said: [],
      edited: undefined,
      timer: undefined,
      cost: 0,
    };
    this.#open.set(path, file);
    this.#edits++;
    await this.#readBase(file);
    this.lookSoon();
  }

  edit(path: string, text: string, version: number): void {
    const file = this.#open.get(path);
    if (!file) return;
    file.text = text;
    file.version = version;
    this.#edits++;
    this.#judgeSoon(file);
  }

  close(path: string): void {
    const file = this.#open.get(path);
    if (!file) return;
    clearTimeout(file.timer);
    this.#drop(file);
    this.#open.delete(path);
    this.#edits++;
    this.lookSoon();
  }

  /** Judges what was edited and not judged yet. @returns the file; undefined when it is not open */
  settled(path: string): OpenFile | undefined {
    const file = this.#open.get(path);
    if (file?.timer !== undefined) this.#judge(file);
    return file;
  }

  /** Ends everything that goes on in the background. */
  dispose(): void {
    this.#closed.abort();
    clearTimeout(this.#gatherTimer);
    clearTimeout(this.#lookTimer);
    for (const path of [...this.#open.keys()]) this.close(path);
    clearTimeout(this.#lookTimer);
    void this.#workers?.close();
  }

  /** All that differs from the base: what is open as it is in the editor, all else as it is on disk. */
  changes(): FileChange[] {
    const changes = this.#onDisk.filter(({ path }) => !this.#open.has(path));
    for (const { path, text, base } of this.#open.values()) {
      if (!base || base.text === text) continue;
      const { bytes } = base;
      // Old kernel files hold names in Latin-1: see `decodeSource`.
      const isLatin1 = bytes !== undefined && !Buffer.from(base.text ?? "").equals(bytes);
      const after = Buffer.from(text, isLatin1 ? "latin1" : "utf8");
      changes.push({ path, ...(bytes && { before: bytes }), after });
    }
    return changes.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** What is to be shown of a file: what all witnesses say that were asked of the change as it is now. */
  findingsOf(file: OpenFile): readonly Finding[] {
    const review = this.objects();
    let findings = file.said;
    if (review) {
      const seen = review.findings.filter(({ witness }) => witness === "object");
      const said = [...this.#open.values()].flatMap((other) => other.said);
      findings = mergeWitnesses(said, seen, review.objects ?? []).filter(
        (finding) => finding.file === file.path || (finding.file === null && file.changed !== undefined),
      );
    }
    return suppress(findings, { paths: [file.path], textOf: () => file.text, description: "" });
  }

  /** What the objects say of the change as it is now; undefined when nobody asked them since it was edited. */
  objects(): Review | undefined {
    const answer = this.#answer;
    if (answer && answer.compared !== this.#edits) {
      // Files that are opened and closed, and what was typed and taken back, leave the change as it was compiled.
      answer.compared = this.#edits;
      answer.holds = sameChanges(this.changes(), answer.changes);
    }
    return answer?.holds ? answer.review : undefined;
  }

  /** Takes what the objects say. @param changes what was compiled */
  answer(review: Review, changes: readonly FileChange[]): void {
    this.#answer = { review, changes, compared: -1, holds: false };
    this.#listener.answered();
    for (const file of this.#open.values()) this.#listener.judged(file);
  }

  /** The functions and macros that use a name, as far as the tree was asked for it. */
  usersOf(name: string): ReadonlySet<string> {
    try {
      return new Set(this.#facts.uses(name).places.flatMap(({ within }) => within ?? []));
    } catch (error) {
      if (error instanceof NotGathered) return new Set();
      throw error;
    }
  }

  /** Everything that a document declares. */
  itemsOf(file: OpenFile): readonly Item[] {
    if (file.text.length > LONGEST_TEXT || !isC(file.path)) return [];
    const source =
      file.changed?.after ??
      new LazySourceFile(this.#engine, file.path, file.text, this.#conditions(file.path, file.text));
    return source.items;
  }

  /** Notes why something that was tried for this tree failed, or that it did not; shown with its files. */
  note(what: string, trouble: string | undefined): void {
    if (trouble === this.#troubles.get(what)) return;
    if (trouble === undefined) this.#troubles.delete(what);
    else {
      this.#troubles.set(what, trouble);
      this.#listener.log(trouble);
    }
    for (const file of this.#open.values()) this.#listener.judged(file);
  }

  /** Looks in a moment what differs on disk, and whether the base is still the same. */
  lookSoon(): void {
    clearTimeout(this.#lookTimer);
    this.#lookTimer = setTimeout(() => this.#inBackground("look", this.#look()), WHEN_IDLE);
  }

  /** Other files of the tree were written: what was found in them is void. */
  filesWritten(): void {
    this.target.tree.answers?.clear();
    this.lookSoon();
  }

  async #look(): Promise<void> {
    if (await this.base.refresh(this.#work))
      for (const file of this.#open.values()) {
        this.#drop(file);
        await this.#readBase(file);
      }
    const onDisk = await this.base.changes(this.#work);
    const others = onDisk.filter(({ path }) => !this.#open.has(path));
    if (sameChanges(others, this.#onDisk)) return;
    const short = others.filter(({ after }) => (after?.length ?? 0) <= LONGEST_TEXT);
    const { compare } = this.#threads();
    const read = await readChangeSet(this.#work, this.#engine, short, this.#conditions, compare);
    for (const { before, after } of read.files) for (const side of [before, after]) side?.release();
    this.#onDisk = others;
    this.#readOnDisk = read.files;
    this.#edits++;
    this.#gatherIn(SOON);
  }

  async #readBase(file: Held): Promise<void> {
    const bytes = await this.base.read(this.#work, file.path);
    if (this.#open.get(file.path) !== file) return;
    file.base = { bytes, text: bytes && decodeSource(bytes) };
    this.#edits++;
    this.#judge(file);
  }

  #judgeSoon(file: Held): void {
    // Where judging takes its time, as in a patch of thousands of functions, requests get their turn, too.
    const wait = file.cost > SLOW ? Math.min(file.cost, LONGEST_WAIT) : TOGETHER;
    file.timer ??= setTimeout(() => this.#judge(file), wait);
  }

  #judge(file: Held): void {
    clearTimeout(file.timer);
    file.timer = undefined;
    if (!file.base) return;
    const begun = performance.now();
    try {
      this.#read(file, file.base.text);
      this.#ask(file);
    } catch (error) {
      this.#listener.log(`${file.path} cannot be judged: ${error instanceof Error ? error.stack : error}`);
    }
    file.cost = performance.now() - begun;
    this.#listener.judged(file);
  }

  /** Reads what a file changes. */
  #read(file: Held, before: string | undefined): void {
    const { path, text } = file;
    const isLong = Math.max(text.length, before?.length ?? 0) > LONGEST_TEXT;
    if (text === before || isLong) {
      file.changed = undefined;
      if (isLong) this.#drop(file);
    } else if (isC(path)) {
      file.edited ??= new EditedFile(this.#engine, path, before, this.#conditions);
      this.#edited.delete(file);
      this.#edited.add(file);
      for (const oldest of this.#edited) {
        if (this.#edited.size <= MOST_EDITED) break;
        this.#drop(oldest);
      }
      file.changed = file.edited.update(text);
    } else {
      const change = {
        path,
        after: Buffer.from(text),
        ...(before !== undefined && { before: Buffer.from(before) }),
      };
      file.changed = readChangedFile(this.#engine, change, this.#conditions);
    }
  }

  /** Gives a file's syntax back; what was read from it stays. */
  #drop(file: Held): void {
    file.edited?.close();
    file.edited = undefined;
    this.#edited.delete(file);
  }

  #ask(file: Held): void {
    const { changed } = file;
    if (!changed) {
      file.said = [];
      this.#gatherIn(WHEN_IDLE);
      return;
    }
    const { findings, waiting } = askRulesSoFar(changed, this.#changeSet(), this.#facts);
    // A rule that waits for the tree stays with what it said before.
    file.said = [...findings, ...file.said.filter(({ rule }) => waiting.has(rule))];
    if (!file.edited) for (const side of [changed.before, changed.after]) side?.release();
    const isFirst = !this.#hasGathered;
    this.#hasGathered = true;
    this.#gatherIn(isFirst ? 0 : waiting.size > 0 ? SOON : WHEN_IDLE);
  }

  #changeSet(): ChangeSet {
    const open = [...this.#open.values()].flatMap(({ changed }) => changed ?? []);
    const files = [...open, ...this.#readOnDisk.filter(({ path }) => !this.#open.has(path))];
    return { files, changes: files.flatMap(({ changes }) => changes) };
  }

  #gatherIn(milliseconds: number): void {
    clearTimeout(this.#gatherTimer);
    this.#gatherTimer = setTimeout(() => this.#inBackground("gather", this.#gather()), milliseconds);
  }

  /** Asks the tree what rules may want to know of the change as it is now, and then the rules again. */
  async #gather(): Promise<void> {
    const changes = this.#changeSet();
    if (changes.files.length === 0) return;
    const key = namesIn(changes);
    if (this.#gathering?.key === key) return this.#gatherIn(WHEN_IDLE);
    this.#gathering?.stop.abort();
    const stop = new AbortController();
    const gathering = { key, stop };
    this.#gathering = gathering;
    const work = { ...this.#work, signal: AbortSignal.any([this.#work.signal, stop.signal]) };
    const { tree } = this.target;
    const edits = this.#edits;
    try {
      const facts = await gatherFacts(work, tree, changes, this.#engine, this.#threads().findUses);
      if (stop.signal.aborted) return;
      this.#facts = factsSoFar(tree, facts, new Set(changes.files.map(({ path }) => path)));
    } finally {
      if (this.#gathering === gathering) this.#gathering = undefined;
    }
    for (const file of [...this.#open.values()]) {
      await setImmediate();
      if (file.timer !== undefined || !file.changed || this.#open.get(file.path) !== file) continue;
      this.#ask(file);
      this.#listener.judged(file);
    }
    // Asking makes it gather again; nothing has changed since.
    if (edits === this.#edits) clearTimeout(this.#gatherTimer);
  }

  /** A thread that parses, so that keys need not wait for what goes on in the background. */
  #threads(): SourceWorkers {
    this.#workers ??= startWorkers(this.target.tree, 1);
    return this.#workers;
  }

  #inBackground(what: string, action: Promise<void>): void {
    action
      .then(
        () => undefined,
        (error: unknown) => error,
      )
      .then((error) => {
        if (error instanceof Fault && error.code === "interrupted") return;
        this.note(what, error === undefined ? undefined : inWords(error));
      });
  }
}

/** Anything thrown, for a person. */
export function inWords(thrown: unknown): string {
  const error = asFault(thrown);
  if (error instanceof Fault && error.code !== "defect")
    return error.remedy ? `${error.message}: ${error.remedy}` : error.message;
  return `defect: ${error instanceof Error ? (error.stack ?? error.message) : error}`;
}

/** What a look-up in the tree depends on: names and files. */
function namesIn(changes: ChangeSet): string {
  const { tree, local } = wordsOf(changes);
  const paths = changes.files.map(({ path }) => path);
  return [paths, [...tree].sort(), [...local.keys()].sort()].map((names) => names.join(" ")).join("\n");
}

function sameChanges(some: readonly FileChange[], others: readonly FileChange[]): boolean {
  const isSame = (a: Uint8Array | undefined, b: Uint8Array | undefined) =>
    a === b || (a !== undefined && b !== undefined && Buffer.compare(a, b) === 0);
  return (
    some.length === others.length &&
    some.every((change, at) => {
      const other = others[at];
      return (
        other?.path === change.path &&
        isSame(change.before, other.before) &&
        isSame(change.after, other.after)
      );
    })
  );
}
