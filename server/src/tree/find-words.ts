import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import { keptAnswers } from "./kept-answers.js";
import { searchTree } from "./search.js";
import type { SourceTree } from "./source-tree.js";

/** Where a word stands in the C files of a tree, comments and strings included. */
export interface Occurrences {
  /** How many there are in all. */
  readonly count: number;
  /** In the order of files and lines; the first {@link OCCURRENCE_LIMIT} when there are more. */
  readonly places: readonly Occurrence[];
}

/** Line and column count from 1, the column in bytes. */
export type Occurrence = readonly [file: string, line: number, column: number];

export const OCCURRENCE_LIMIT = 2000;
/** More names than any real patch changes. */
const WORD_LIMIT = 20_000;

/**
 * Searches for many words at once: one pass over the tree for all that are not known yet.
 * @param words what is no identifier occurs nowhere
 * @returns by word
 * @throws Fault as `searchTree`; "bad-input" for more words than any patch needs
 */
export async function findWords(
  work: Pick<Work, "signal" | "cache">,
  tree: SourceTree,
  words: Iterable<string>,
): Promise<Map<string, Occurrences>> {
  const kept = keptAnswers<Occurrences>(work, tree, "words-1");
  const found = new Map<string, Occurrences>();
  const wanted: string[] = [];
  for (const word of new Set(words)) {
    const known = isWord(word) ? kept.read(word) : NOWHERE;
    if (known) found.set(word, known);
    else wanted.push(word);
  }
  if (wanted.length === 0) return found;
  if (wanted.length > WORD_LIMIT) {
    throw new Fault("bad-input", `the patch changes more than ${WORD_LIMIT} names`, {
      remedy: "have it reviewed in parts",
    });
  }
  for (const [word, occurrences] of await search(work, tree, wanted)) {
    found.set(word, occurrences);
    kept.write(word, occurrences);
  }
  return found;
}

const NOWHERE: Occurrences = { count: 0, places: [] };
const isWord = (text: string) => text.length <= 255 && /^[A-Za-z_]\w*$/.test(text);

async function search(
  work: Pick<Work, "signal">,
  tree: SourceTree,
  words: readonly string[],
): Promise<Map<string, Occurrences>> {
  const gathered = new Map(words.map((word) => [word, { count: 0, places: [] as Occurrence[] }]));
  const options = ["--word-regexp", "--fixed-strings", "--line-number", "--column", "--file=-"];
  await searchTree(work, tree, options, `${words.join("\n")}\n`, (file, lines) => {
    for (const text of lines) {
      const [line = "", column = "", word = ""] = text.split(":");
      const all = gathered.get(word);
      if (!all) continue;
      all.count++;
      all.places.push([file, Number(line), Number(column)]);
      if (all.places.length > 4 * OCCURRENCE_LIMIT) all.places = first(all.places);
    }
  });
  for (const all of gathered.values()) all.places = first(all.places);
  return gathered;
}

/** Files come in no order: the first places are those of them all. */
function first(places: Occurrence[]): Occurrence[] {
  return places.sort(byPlace).slice(0, OCCURRENCE_LIMIT);
}

const byPlace = ([a, line, column]: Occurrence, [b, otherLine, otherColumn]: Occurrence) =>
  a === b ? line - otherLine || column - otherColumn : a < b ? -1 : 1;
