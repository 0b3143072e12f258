import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { checkpoint, type Work } from "../host/work.js";
import type { KernelProfile } from "../profile/profile.js";
import { namesIn } from "./header-items.js";
import { keptAnswer } from "./kept-answer.js";
import { filesWithWords, searchSource } from "./source-search.js";

/** How macros of a kernel put names together (`##`). */
export interface Pastings {
  /** Words of which somebody must have written one for a macro to make the name, in the file or folder `scope`. */
  partsOf(name: string): { readonly part: string; readonly scope: string }[];
  /** Files that hold all that is needed to make the name of nothing but arguments. */
  filesThatMake(name: string): string[];
  /**
   * @returns the folder of a driver whose macros may put names of its own headers together of three words and more
   *   (`SF`, drivers/gpu/drm/amd/display), if the header is part of one
   */
  obscures(header: string): string | undefined;
}

export async function readPastings(work: Work, profile: KernelProfile): Promise<Pastings> {
  const known = await keptAnswer(work, profile, "pastings-by-scope.json", () => findPastings(work, profile));
  const words = new Map<string, Set<string>>();
  for (const file of known.files)
    words.set(file, new Set(namesIn(await readFile(resolve(profile.source, file), "latin1"))));
  const patterns = known.patterns.map(({ pattern, scope }) => ({ pattern: new RegExp(pattern), scope }));
  return {
    partsOf: (name) => partsOf(name, patterns),
    filesThatMake: (name) => known.files.filter((file) => isMadeOf(name, words.get(file) ?? new Set())),
    obscures: (header) => {
      const driver = driverOf(header);
      const isIn = (file: string) => driver !== undefined && file.endsWith(".h") && file.startsWith(driver);
      return known.files.some(isIn) ? driver : undefined;
    },
  };
}

/** What is kept. */
interface Found {
  /** One for each way that is known: words of the macro's own stand, its parameters match anything. */
  readonly patterns: readonly { readonly pattern: string; readonly scope: string }[];
  /** Files that use macros which add nothing of their own (`__PASTE`, include/linux/compiler_types.h). */
  readonly files: readonly string[];
}

async function findPastings(work: Work, profile: KernelProfile): Promise<Found> {
  const patterns = new Map<string, Found["patterns"][number]>();
  const plain = new Set<string>();
  for (const file of await searchSource(work, profile, ["--files-with-matches", "-e", "##"])) {
    checkpoint(work);
    const scope = scopeOf(file);
    for (const { macro, pattern } of pastingsIn(await readFile(resolve(profile.source, file), "latin1")))
      if (pattern === undefined) plain.add(macro);
      else patterns.set(`${pattern} ${scope}`, { pattern, scope });
  }
  const files = [...(await filesWithWords(work, profile, [...plain]))].sort();
  // What the build generates is found by the words that it names.
  return {
    patterns: [...patterns.values()],
    files: files.filter((file) => existsSync(join(profile.source, file))),
  };
}

function* pastingsIn(source: string): Generator<{ macro: string; pattern?: string }> {
  for (const [text, macro = "", list = ""] of source.matchAll(MACRO)) {
    if (!text.includes("##")) continue;
    const parameters = new Set(list.match(/\w+/g));
    for (const [chain] of text.matchAll(/\w+(?:[\s\\]*##[\s\\]*\w+)+/g)) {
      const words = chain.split(/[\s\\]*##[\s\\]*/);
      const own = words.filter((word) => !parameters.has(word));
      if (own.length === words.length) continue;
      const isPlain = words.length - own.length > 1 && !own.some((word) => /[^\W_]/.test(word));
      const pattern = `^${words.map((word) => (parameters.has(word) ? "(\\w*)" : word)).join("")}$`;
      yield isPlain ? { macro } : { macro, pattern };
    }
  }
}

const MACRO = /^[ \t]*#[ \t]*define[ \t]+(\w+)(?:\(([^)]*)\))?(?:.*\\\n)*.*$/gm;

/** Words that somebody must have written for such a macro to make the name; of several the longest. */
function partsOf(
  name: string,
  patterns: readonly { readonly pattern: RegExp; readonly scope: string }[],
): { part: string; scope: string }[] {
  return patterns.flatMap(({ pattern, scope }) => {
    const [, ...parts] = pattern.exec(name) ?? [];
    const [part = ""] = parts.toSorted((a, b) => b.length - a.length);
    if (part === "" || part === name) return [];
    // Such is made by another macro (`_##name` of SYSCALL_DEFINE1, include/linux/syscalls.h).
    const inner = /^_|_$/.test(part) ? partsOf(part, patterns) : [];
    return [{ part, scope }, ...inner.map((one) => ({ ...one, scope: one.scope || scope }))];
  });
}

/** The file or folder where a macro can be used that the file defines; empty if it is everywhere. */
function scopeOf(file: string): string {
  if (file.endsWith(".c")) return file;
  if (/^\/|^(?:.*\/)?include\//.test(file)) return "";
  return driverOf(file) ?? file.slice(0, file.indexOf("/") + 1);
}

/** Whether a name is two of these words, with nothing but `_` between them, or a word and a number. */
function isMadeOf(name: string, words: ReadonlySet<string>): boolean {
  for (let at = 2; at < name.length; at++) {
    const rest = name.slice(at);
    if (!words.has(name.slice(0, at))) continue;
    if (
      /^\d+$/.test(rest) ||
      [rest, rest.replace(/^_/, ""), rest.replace(/^__/, "")].some((part) => words.has(part))
    )
      return true;
  }
  return false;
}

function driverOf(path: string): string | undefined {
  return /^(?:drivers\/gpu\/drm|drivers\/\w+|sound\/\w+)\/\w+\//.exec(path)?.[0];
}
