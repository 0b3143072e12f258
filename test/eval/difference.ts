import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { SOURCE_ARCH } from "@kernel-hotpatch/kernel/build/kbuild";
import type { FileChange } from "@kernel-hotpatch/kernel/build/patch-files";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import { sourcePrints } from "@kernel-hotpatch/kernel/profile/file-prints";
import type { Pair } from "./pair.js";

/** All C files and headers of two sources that are not the same, those that only the newer one has included. */
export interface Difference {
  /** Sorted. */
  readonly paths: readonly string[];
  change(path: string): FileChange | undefined;
  /** The files in which a line with this word is on one side only, sorted. */
  withWord(word: string): readonly string[];
  /** Files that only the newer source has. */
  readonly added: readonly string[];
}

/** What no unit of the kernel reads, or none of this architecture. */
const OTHER = /^(?:tools|scripts|samples|Documentation|usr)\//;

/** @throws Fault `interrupted` */
export async function readDifference(work: Work, { older, newer }: Pair): Promise<Difference> {
  const changes = new Map<string, FileChange>();
  const own = `arch/${SOURCE_ARCH[older.arch]}/`;
  const prints = await sourcePrints(work, older.source);
  for (const [path, print] of await sourcePrints(work, newer.source)) {
    const isForeign = OTHER.test(path) || (path.startsWith("arch/") && !path.startsWith(own));
    if (!/\.[ch]$/.test(path) || prints.get(path) === print || isForeign) continue;
    const before = prints.has(path) ? await readFile(join(older.source, path)) : undefined;
    changes.set(path, { path, ...(before && { before }), after: await readFile(join(newer.source, path)) });
  }
  return differenceOf([...changes.values()]);
}

/** @param changes sorted or not; none is a removal */
export function differenceOf(changes: readonly FileChange[]): Difference {
  const byPath = new Map(changes.map((change) => [change.path, change]));
  const byWord = new Map<string, string[]>();
  for (const change of changes.toSorted((a, b) => (a.path < b.path ? -1 : 1)))
    for (const word of changedWords(change)) {
      const files = byWord.get(word);
      if (files === undefined) byWord.set(word, [change.path]);
      else files.push(change.path);
    }
  return {
    paths: [...byPath.keys()].sort(),
    change: (path) => byPath.get(path),
    withWord: (word) => byWord.get(word) ?? [],
    added: [...byPath.values()].filter(({ before }) => before === undefined).map(({ path }) => path),
  };
}

function changedWords({ before, after }: FileChange): Set<string> {
  const [old, young] = [before, after].map((side) => new Set(side?.toString("latin1").split("\n")));
  const words = new Set<string>();
  for (const line of [...(old ?? []), ...(young ?? [])])
    if (!(old?.has(line) && young?.has(line)))
      for (const [word] of line.matchAll(/[A-Za-z_]\w*/g)) words.add(word);
  return words;
}
