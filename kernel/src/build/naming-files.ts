import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { Fault } from "../host/fault.js";
import { run } from "../host/run.js";
import { checkpoint, type Work } from "../host/work.js";
import type { KernelProfile } from "../profile/profile.js";
import { type ChangedNames, describe, isDirective, type NameKind } from "./changed-names.js";
import { type HeaderItem, headerItems } from "./header-items.js";
import { SOURCE_ARCH } from "./kbuild.js";
import { buildCache, writeAside } from "./originals.js";
import type { FileChange } from "./patch-files.js";
import { sourceFolders } from "./source-folders.js";

const DEADLINE = 300;
/** Beyond so many `.c` files nobody asks any more which of them are built. */
const FILE_LIMIT = 500;

/**
 * Finds the files that may notice a change: `.c` files that name what changed, or a macro, function or variable of a
 * header that does, over any number of headers; and headers that do so in a way that cannot be told by name. Where a
 * macro may put a name together (`##`), its parts count as the name; macros that have others do so are not seen through.
 * @param changes the whole patch: its files count as they were and as they become
 * @returns paths, sorted; or, when there are too many, the beginning of a sentence that ends with the names
 */
export async function namingFiles(
  work: Work,
  profile: KernelProfile,
  changes: readonly FileChange[],
  changed: ChangedNames,
): Promise<string[] | string> {
  const known = new Map<string, NameKind>();
  const files = new Set<string>();
  const headers = new Map<string, HeaderItem[] | undefined>();
  let pending = new Map(changed.names);
  let patterns: readonly RegExp[] | undefined;
  while (pending.size > 0) {
    for (const [name, kind] of pending) known.set(name, kind);
    const wanted = new Map(pending);
    for (const [name, kind] of pending) {
      if (kind === "new macro") continue;
      patterns ??= await pastings(work, profile);
      for (const part of partsOf(name, patterns)) if (wanted.get(part) !== "macro") wanted.set(part, kind);
    }
    const found = await filesWithWords(work, profile, [...wanted.keys()]);
    for (const { path, before, after } of changes) {
      const words = [before, after].flatMap((text) => (text ? tokensIn(text.toString("latin1")) : []));
      if (words.some((word) => wanted.has(word))) found.add(path);
    }
    const next = new Map<string, NameKind>();
    for (const path of found) {
      if (path.endsWith(".c")) files.add(path);
      else {
        if (!headers.has(path)) headers.set(path, await itemsOf(profile, changes, path));
        const users = usersIn(headers.get(path), pending, wanted);
        // Whatever includes it may notice.
        if (users === undefined) files.add(path);
        for (const [name, kind] of users ?? []) if (!known.has(name)) next.set(name, kind);
      }
    }
    if (files.size > FILE_LIMIT) return `more than ${FILE_LIMIT} files may use`;
    pending = next;
  }
  return [...files].sort();
}

/**
 * Of a header the names of what uses others.
 * @param wanted `names`, and what macros may make them of
 * @returns undefined when it may be anything in it
 */
function usersIn(
  items: readonly HeaderItem[] | undefined,
  names: ReadonlyMap<string, NameKind>,
  wanted: ReadonlyMap<string, NameKind>,
): Map<string, NameKind> | undefined {
  if (!items) return undefined;
  const users = new Map<string, NameKind>();
  // Types are compared as the compiler laid them out; only what stands for a number can change that.
  const isValue = (word: string) => (wanted.get(word) ?? "code") !== "code";
  for (const item of items) {
    const asked = tokensIn(item.condition).find((word) => names.has(word));
    if (asked !== undefined && !(isDirective(item) && item.name === asked)) return undefined;
    const words = tokensIn(item.text).filter((word) => wanted.has(word));
    if (words.length === 0) continue;
    if (isDirective(item)) {
      if (item.kind === "define") users.set(item.name, "macro");
      // `#include NAME`; file names are no names, nor is what an `#error` says.
      else if (/^# (include|include_next|import) \w/.test(item.text)) return undefined;
      continue;
    }
    const described = describe(item);
    const isType = /^(?:struct|union|enum|typedef) /.test(item.text);
    // Nothing of a type becomes code, nor do the parameters of a prototype.
    const isDeclared =
      typeof described !== "string" && item.kind === "declaration" && !item.tokens.includes("=");
    if ((isType || isDeclared) && !words.some(isValue) && !item.text.includes("# define")) continue;
    if (typeof described === "string") return undefined;
    for (const { name, text } of described.macros)
      if (tokensIn(text).some((word) => wanted.has(word))) users.set(name, "macro");
    if (described.kind === "symbol") for (const name of described.names) users.set(name, "code");
    else if (described.kind !== "nothing") {
      const own = new Set(described.members.map(({ name }) => name));
      const used = words.find(
        (word) => isValue(word) && (!own.has(word) || wanted.get(word)?.endsWith("macro")),
      );
      if (used !== undefined) return undefined;
    }
  }
  return users;
}

async function itemsOf(
  profile: KernelProfile,
  changes: readonly FileChange[],
  path: string,
): Promise<HeaderItem[] | undefined> {
  const change = changes.find((other) => other.path === path);
  const place = [profile.source, profile.build].map((root) => join(root, path)).find(existsSync);
  const texts = change
    ? [change.before, change.after].filter((text) => text !== undefined)
    : place === undefined
      ? []
      : [await readFile(place)];
  const all = texts.map((text) => headerItems(text.toString("latin1")));
  return all.includes(undefined) ? undefined : all.flatMap((items) => items ?? []);
}

function tokensIn(text: string): string[] {
  return text.match(/[A-Za-z_]\w*/g) ?? [];
}

async function filesWithWords(
  work: Work,
  profile: KernelProfile,
  words: readonly string[],
): Promise<Set<string>> {
  const options = ["--files-with-matches", "--word-regexp", "--fixed-strings", "--file=-"];
  const lines = await search(work, profile, options, words.join("\n"));
  return new Set(lines.map((file) => (file.startsWith("/") ? relative(profile.build, file) : file)));
}

/**
 * How macros of the kernel put names together (`##`): one pattern for each way, in which their own words stand and their
 * parameters match anything. A profile's source in our cache never changes, so that the answer is kept.
 */
async function pastings(work: Work, profile: KernelProfile): Promise<RegExp[]> {
  const isOurs = !relative(work.cache, profile.source).startsWith("..");
  const kept = join(await buildCache(work, profile), "pastings.json");
  let patterns: string[];
  if (isOurs && existsSync(kept)) patterns = JSON.parse(await readFile(kept, "utf8")) as string[];
  else {
    const found = new Set<string>();
    for (const file of await search(work, profile, ["--files-with-matches", "-e", "##"])) {
      checkpoint(work);
      const source = await readFile(resolve(profile.source, file), "latin1");
      for (const pattern of pastingsIn(source)) found.add(pattern);
    }
    patterns = [...found].sort();
    if (isOurs) await writeAside(kept, JSON.stringify(patterns));
  }
  return patterns.map((pattern) => new RegExp(pattern));
}

/** Of macros that add nothing of their own, or next to nothing (`a ## _ ## b`), nothing can be told. */
function* pastingsIn(source: string): Generator<string> {
  for (const [text, list = ""] of source.matchAll(MACRO)) {
    if (!text.includes("##")) continue;
    const parameters = new Set(list.match(/\w+/g));
    for (const [chain] of text.matchAll(/\w+(?:[\s\\]*##[\s\\]*\w+)+/g)) {
      const words = chain.split(/[\s\\]*##[\s\\]*/);
      const own = words.filter((word) => !parameters.has(word));
      if (own.length === words.length || !own.some((word) => /[^\W_]{2}/.test(word))) continue;
      yield `^${words.map((word) => (parameters.has(word) ? "(\\w*)" : word)).join("")}$`;
    }
  }
}

const MACRO = /^[ \t]*#[ \t]*define[ \t]+\w+(?:\(([^)]*)\))?(?:.*\\\n)*.*$/gm;

/** Words that somebody must have written for such a macro to make the name; of several the longest. */
function partsOf(name: string, patterns: readonly RegExp[]): string[] {
  return patterns.flatMap((pattern) => {
    const [, ...parts] = pattern.exec(name) ?? [];
    const [longest = ""] = parts.toSorted((a, b) => b.length - a.length);
    return longest === "" || longest === name ? [] : [longest];
  });
}

/** @returns lines of what ripgrep prints, from the tree's own C files and from what its build generated */
async function search(
  work: Work,
  profile: KernelProfile,
  options: readonly string[],
  input = "",
): Promise<string[]> {
  const folders = await sourceFolders(profile.source, profile.arch);
  const generated = [`arch/${SOURCE_ARCH[profile.arch]}/include/generated`, "include/generated"]
    .map((folder) => join(profile.build, folder))
    .filter(existsSync);
  const common = ["--no-config", "--no-ignore", "--hidden", "--text", "--color=never", "--glob=*.[ch]"];
  const { status, stdout, stderr } = await run(
    work,
    ["rg", ...common, ...options, "--", ...folders, ...generated],
    { cwd: profile.source, deadline: DEADLINE, input },
  );
  // ripgrep: 0 found, 1 found nothing, 2 could not read something.
  if (status > 1) throw new Fault("defect", `cannot search the kernel's source: ${stderr.split("\n")[0]}`);
  return stdout.split("\n").filter((line) => line !== "");
}
