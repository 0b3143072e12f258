import { readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import type { ChangeSet } from "../change/change-set.js";
import { severalAtATime } from "../change/several-at-a-time.js";
import { decodeSource } from "../syntax/source-text.js";
import type { Engine } from "../syntax/tree.js";
import { findWords, type Occurrences } from "./find-words.js";
import { headerReaches, REACH_LIMIT } from "./header-reach.js";
import { type Inclusions, readInclusions } from "./inclusions.js";
import { unitBuilds } from "./kbuild.js";
import { keptAnswers } from "./kept-answers.js";
import type { SourceTree } from "./source-tree.js";
import { exportsOf } from "./symvers.js";
import {
  type HeaderReach,
  NotGathered,
  type TreeFacts,
  type UnitBuild,
  type Use,
  type Uses,
} from "./tree-facts.js";
import { type FileUse, usesInFile } from "./uses-in-file.js";
import { type Words, wordsOf } from "./words-of.js";

/**
 * Finds the uses of names in a file's text; by whomever, wherever.
 * @param names of this file
 * @param everywhere names that are looked for in every file, the same set each time
 */
export type FindUses = (
  text: string,
  names: ReadonlySet<string>,
  everywhere?: ReadonlySet<string>,
) => ReadonlyMap<string, readonly FileUse[]> | Promise<ReadonlyMap<string, readonly FileUse[]>>;

/** Files that are parsed for one name, and for all. */
const FILES_OF_A_WORD = 60;
const FILES_IN_ALL = 600;
/** Larger files are tables that a generator wrote. */
const LONGEST_FILE = 2_000_000;

/**
 * Gathers what rules may ask of the tree about a change: one search of the tree for all names, then the files found are
 * parsed, within bounds. What is known from earlier runs is not searched for again.
 * @param tree as it was before the change
 * @throws Fault as `searchTree`; a file that cannot be read or parsed has its uses told as `unread`
 */
export async function gatherFacts(
  work: Work,
  tree: SourceTree,
  changes: ChangeSet,
  engine: Engine,
  findUses: FindUses = (text, ...names) => usesInFile(engine, text, ...names),
): Promise<TreeFacts> {
  const inclusions = once(() => readInclusions(work, tree));
  const textBuild = unitBuilds(tree);
  const includedBuilds = await buildsByInclusion(work, tree, changes, textBuild, inclusions);
  const build = (path: string) => includedBuilds.get(path) ?? textBuild(path);
  const reaches = await reachesOf(work, tree, changes, build, inclusions);
  const uses = await usesOf(work, tree, changes, findUses);
  return {
    tree,
    build,
    reach: (header) => reaches.get(header) ?? { units: 0, atLeast: true, examples: [] },
    uses(name) {
      if (!/^[A-Za-z_]\w*$/.test(name)) return { places: [], count: 0 };
      const known = uses.get(name);
      if (known === undefined) throw new NotGathered(`uses of ${name} were not gathered`);
      return known;
    },
    exported: exportsOf(tree.moduleSymvers),
  };
}

function once<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** Changed `.c` files that no makefile lists are built with the unit that includes them. */
async function buildsByInclusion(
  work: Pick<Work, "cache">,
  tree: SourceTree,
  changes: ChangeSet,
  build: (path: string) => UnitBuild,
  inclusions: () => Promise<Inclusions>,
): Promise<Map<string, UnitBuild>> {
  const kept = keptAnswers<readonly string[]>(work, tree, "including-units-1");
  const builds = new Map<string, UnitBuild>();
  for (const { path, kind } of changes.files) {
    if (kind.role !== "unit") continue;
    const { into, option } = build(path);
    if ((into !== "nothing" && into !== "unknown") || option !== undefined) continue;
    let units = kept.read(path);
    if (units === undefined) {
      units = (await inclusions()).includers(path).filter((includer) => includer.endsWith(".c"));
      kept.write(path, units);
    }
    const including = units.map(build).find((found) => found.into !== "nothing" && found.into !== "unknown");
    if (including) builds.set(path, including);
  }
  return builds;
}

async function reachesOf(
  work: Pick<Work, "cache">,
  tree: SourceTree,
  changes: ChangeSet,
  build: (path: string) => UnitBuild,
  inclusions: () => Promise<Inclusions>,
): Promise<Map<string, HeaderReach>> {
  const headers = changes.files.filter(({ path, kind }) => kind.role === "header" && path.endsWith(".h"));
  const old = headers.filter(({ existedBefore }) => existedBefore).map(({ path }) => path);
  const reaches = await headerReaches(work, tree, old, build, inclusions);
  for (const { path } of headers.filter(({ existedBefore }) => !existedBefore)) {
    // Only changed files can include what is new; through a header among them it may reach further.
    const name = basename(path).replace(/[^\w-]/g, "\\$&");
    const include = new RegExp(`^[ \\t]*#[ \\t]*include[ \\t]*["<](?:[^">\\n]*/)?${name}[">]`, "m");
    const includers = changes.files.filter(({ after }) => after && include.test(after.text));
    const units = includers.map((file) => file.path).filter((file) => file.endsWith(".c"));
    const atLeast = units.length > REACH_LIMIT || units.length < includers.length;
    reaches.set(path, { units: units.length, atLeast, examples: units.slice(0, 8) });
  }
  return reaches;
}

async function usesOf(
  work: Work,
  tree: SourceTree,
  changes: ChangeSet,
  findUses: FindUses,
): Promise<Map<string, Uses>> {
  const words = wordsOf(changes);
  work.progress("searching the kernel tree");
  const pristine = await usesInTree(work, tree, changes, findUses, words.tree);
  const patched = await usesInPatch(work, changes, findUses, words);
  const changed = new Set(changes.files.map(({ path }) => path));
  const uses = new Map<string, Uses>();
  for (const name of [...words.tree, ...words.local.keys()]) {
    const inTree = pristine.get(name) ?? { places: [], count: 0 };
    const outside = inTree.places.filter(({ file }) => !changed.has(file));
    const inside = patched.get(name) ?? [];
    const places = [...outside, ...inside]
      .sort(byPlace)
      .map((use) => withKind(use, words.functions.has(name)));
    const count = inTree.count - (inTree.places.length - outside.length) + inside.length;
    uses.set(name, { places, count });
  }
  return uses;
}

/** Only a function's name, used as a value, is its address. */
function withKind(use: Use, isFunction: boolean): Use {
  return use.kind === "address" && !isFunction ? { ...use, kind: "other" } : use;
}

interface KeptUses extends Uses {
  /** Files that it stands in. */
  readonly files: readonly string[];
  /** Those that were not read since the patch changes them. */
  readonly skipped: readonly string[];
}

/**
 * Uses in the tree as it was, by name; files that the patch changes are not read. What is kept spares the reading, but which
 * files are read for a large patch does not depend on it: the same patch gives the same answers.
 */
async function usesInTree(
  work: Work,
  tree: SourceTree,
  changes: ChangeSet,
  findUses: FindUses,
  names: ReadonlySet<string>,
): Promise<Map<string, Uses>> {
  const kept = keptAnswers<KeptUses>(work, tree, "uses-2");
  const changed = new Set(changes.files.map(({ path }) => path));
  const known = new Map<string, KeptUses>();
  for (const name of names) {
    const answer = kept.read(name);
    if (answer?.skipped.every((file) => changed.has(file))) known.set(name, answer);
  }
  const unknown = await findWords(
    work,
    tree,
    [...names].filter((name) => !known.has(name)),
  );
  const filesOf = new Map<string, readonly string[]>();
  for (const [name, { files }] of known) filesOf.set(name, files);
  for (const [name, { places }] of unknown) filesOf.set(name, [...new Set(places.map(([file]) => file))]);
  const plan = planOf([...filesOf]);

  const [uses, wanted] = [new Map<string, Uses>(), new Set<string>()];
  for (const name of names) {
    const answer = known.get(name);
    if (answer && plan.whole.has(name)) uses.set(name, answer);
    else wanted.add(name);
  }
  const read = await readFiles(work, tree, findUses, wanted, plan.files, changed);
  for (const [name, found] of await findWords(work, tree, wanted)) {
    const answer = usesOfOccurrences(name, found, read);
    uses.set(name, answer);
    if (!plan.whole.has(name)) continue;
    const files = filesOf.get(name) ?? [];
    kept.write(name, { ...answer, files, skipped: files.filter((file) => changed.has(file)) });
  }
  return uses;
}

interface Plan {
  /** Which names to look for in which file. */
  readonly files: ReadonlyMap<string, ReadonlySet<string>>;
  /** Names for which as much is read as ever is. */
  readonly whole: ReadonlySet<string>;
}

/** Names in few files come first: of them everything is read. */
function planOf(filesOf: readonly (readonly [name: string, files: readonly string[]])[]): Plan {
  const files = new Map<string, Set<string>>();
  const whole = new Set<string>();
  const byFiles = filesOf.toSorted(([a, x], [b, y]) => x.length - y.length || (a < b ? -1 : 1));
  for (const [name, found] of byFiles) {
    const wanted = found.slice(0, FILES_OF_A_WORD);
    const affordable = wanted.filter((file) => files.has(file) || files.size < FILES_IN_ALL);
    for (const file of affordable) {
      const names = files.get(file) ?? new Set();
      files.set(file, names.add(name));
    }
    if (affordable.length === wanted.length) whole.add(name);
  }
  return { files, whole };
}

type ReadFiles = ReadonlyMap<string, ReadonlyMap<string, readonly FileUse[]>>;

/** What was read of each file; a file that cannot be read is missing. */
async function readFiles(
  work: Work,
  tree: SourceTree,
  findUses: FindUses,
  wanted: ReadonlySet<string>,
  files: Plan["files"],
  skipped: ReadonlySet<string>,
): Promise<ReadFiles> {
  const read = new Map<string, ReadonlyMap<string, readonly FileUse[]>>();
  let done = 0;
  await severalAtATime(work, files, async ([file, all]) => {
    work.progress(`reading ${file}`, done++ / files.size);
    const names = new Set([...all].filter((name) => wanted.has(name)));
    if (names.size === 0 || skipped.has(file)) return;
    const uses = await readUses(tree, findUses, file, names);
    if (uses) read.set(file, uses);
  });
  return read;
}

async function readUses(
  tree: SourceTree,
  findUses: FindUses,
  file: string,
  names: ReadonlySet<string>,
): Promise<Map<string, readonly FileUse[]> | undefined> {
  try {
    const path = join(tree.root, file);
    if ((await stat(path)).size > LONGEST_FILE) return undefined;
    const uses = await findUses(decodeSource(await readFile(path)), names);
    return new Map([...names].map((name) => [name, uses.get(name) ?? []]));
  } catch {
    // One file's failure is no reason to answer nothing: its uses are told as unread.
    return undefined;
  }
}

function usesOfOccurrences(name: string, { count, places }: Occurrences, read: ReadFiles): Uses {
  const uses: Use[] = [];
  let withoutText = count;
  let last = "";
  for (const [file, line, column] of places) {
    const names = read.get(file);
    // A file may have been read for other names only.
    if (names === undefined || !names.has(name)) {
      uses.push({ file, line, column, kind: "unread", inPatch: false });
    } else {
      const inFile = file === last ? [] : (names.get(name) ?? []);
      for (const use of inFile) uses.push({ file, ...use, inPatch: false });
      withoutText += inFile.length - 1;
    }
    last = file;
  }
  return { places: uses, count: withoutText };
}

/** Uses in the patched text of changed files, by name. */
async function usesInPatch(
  work: Pick<Work, "signal">,
  changes: ChangeSet,
  findUses: FindUses,
  words: Words,
): Promise<Map<string, Use[]>> {
  const localTo = new Map<string, Set<string>>();
  for (const [name, files] of words.local)
    for (const file of files) localTo.set(file, (localTo.get(file) ?? new Set()).add(name));
  const uses = new Map<string, Use[]>();
  await severalAtATime(work, changes.files, async ({ path, after }) => {
    if (!after) return;
    for (const [name, found] of await findUses(after.text, localTo.get(path) ?? new Set(), words.tree)) {
      const all = uses.get(name) ?? [];
      for (const use of found) all.push({ file: path, ...use, inPatch: true });
      uses.set(name, all);
    }
  });
  return uses;
}

const byPlace = (a: Use, b: Use) =>
  a.file === b.file ? a.line - b.line || a.column - b.column : a.file < b.file ? -1 : 1;
