import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Work } from "../host/work.js";
import type { KernelProfile } from "../profile/profile.js";
import type { ChangedNames, NameKind } from "./changed-names.js";
import { declaredBy } from "./declared-names.js";
import { type HeaderItem, headerItems, isDirective, namesIn } from "./header-items.js";
import { type Pastings, readPastings } from "./pastings.js";
import type { FileChange } from "./patch-files.js";
import { filesWithWords } from "./source-search.js";

/** Beyond so many `.c` files nobody asks any more which of them are built. */
const FILE_LIMIT = 500;

/** Finds the files that may notice a change to a header; see {@link namingFiles}. */
export type FindNamingFiles = (path: string, changed: ChangedNames) => Promise<string[] | string>;

/**
 * @param changes the whole patch: its files count as they were and as they become
 * @returns a function from a header to the files that may notice what changes in it; how macros put names together is read
 *   when it is first needed
 */
export function namingSearch(
  work: Work,
  profile: KernelProfile,
  changes: readonly FileChange[],
): FindNamingFiles {
  let pastings: Promise<Pastings> | undefined;
  return async (path, changed) => {
    if (changed.names.size === 0) return [];
    pastings ??= readPastings(work, profile);
    return await namingFiles(work, profile, changes, path, changed, await pastings);
  };
}

/**
 * Finds the files that may notice a change: `.c` files that name what changed, or a macro, function or variable of a
 * header that does, over any number of headers; and headers that do so in a way that cannot be told by name. Where a
 * macro may put a name together (`##`), its parts count as the name, in the files that can use that macro.
 * @param path the header
 * @returns paths, sorted; or, when there are too many, the beginning of a sentence that ends with the names
 */
async function namingFiles(
  work: Work,
  profile: KernelProfile,
  changes: readonly FileChange[],
  path: string,
  changed: ChangedNames,
  pastings: Pastings,
): Promise<string[] | string> {
  const driver = pastings.obscures(path);
  if (driver !== undefined) return `macros of ${driver} may put together`;
  const known = new Map<string, NameKind>();
  const files = new Set<string>();
  const headers = new Map<string, HeaderItem[] | undefined>();
  let pending = new Map(changed.names);
  // Code that uses a member is the same while debug information tells so; who names it can see that.
  const isMember = (name: string) => pending.get(name) === "member";
  for (const file of await filesWithWords(work, profile, [...pending.keys()].filter(isMember)))
    if (file.endsWith(".c")) files.add(file);
  for (const name of [...pending.keys()].filter(isMember)) pending.delete(name);
  while (pending.size > 0) {
    for (const [name, kind] of pending) known.set(name, kind);
    const everywhere = new Map(pending);
    const somewhere = new Map<string, NameKind>();
    const scopes = new Set<string>();
    for (const [name, kind] of pending) {
      for (const { part, scope } of pastings.partsOf(name)) {
        const wanted = scope === "" ? everywhere : somewhere;
        if (wanted.get(part) !== "macro") wanted.set(part, kind);
        if (scope !== "") scopes.add(scope);
      }
      for (const file of pastings.filesThatMake(name)) files.add(file);
    }
    const found = await filesWithWords(work, profile, [...everywhere.keys()]);
    for (const file of await filesWithWords(work, profile, [...somewhere.keys()], [...scopes]))
      found.add(file);
    for (const { path: file, before, after } of changes) {
      const words = [before, after].flatMap((text) => (text ? namesIn(text.toString("latin1")) : []));
      if (words.some((word) => everywhere.has(word) || somewhere.has(word))) found.add(file);
    }
    const next = new Map<string, NameKind>();
    for (const file of found) {
      if (file.endsWith(".c")) files.add(file);
      else if (file.endsWith(".S")) {
        if (await namesConstant(profile, file, everywhere)) files.add(file);
      } else {
        if (!headers.has(file)) headers.set(file, await itemsOf(profile, changes, file));
        const isInScope = [...scopes].some((scope) => file.startsWith(scope));
        const wanted = isInScope ? new Map([...somewhere, ...everywhere]) : everywhere;
        const users = usersIn(headers.get(file), wanted);
        // Whatever includes it may notice.
        if (users === undefined) files.add(file);
        for (const [name, kind] of users ?? [])
          if (!known.has(name) || (kind === "macro" && known.get(name) !== kind)) next.set(name, kind);
      }
    }
    if (files.size > FILE_LIMIT) return `more than ${FILE_LIMIT} files may use`;
    pending = next;
  }
  return [...files].sort();
}

/**
 * Of a header the names of what uses others.
 * @param wanted the others, and what macros may make them of
 * @returns undefined when it may be anything in it
 */
function usersIn(
  items: readonly HeaderItem[] | undefined,
  wanted: ReadonlyMap<string, NameKind>,
): Map<string, NameKind> | undefined {
  if (!items) return undefined;
  const users = new Map<string, NameKind>();
  const isConstant = (word: string) => wanted.get(word) === "macro" || wanted.get(word) === "value";
  for (const item of items) {
    const asked = namesIn(item.condition).find(isConstant);
    if (asked !== undefined && !(isDirective(item) && item.name === asked)) return undefined;
    const words = namesIn(item.text).filter((word) => wanted.has(word));
    if (words.length === 0) continue;
    if (isDirective(item)) {
      if (item.kind === "define") users.set(item.name, "macro");
      // Names of files are no names, nor is what an `#error` says.
      else if (!/^# (undef |include ["<]|error|warning)/.test(item.text)) return undefined;
      continue;
    }
    const declared = declaredBy(item);
    // What is compared as the compiler laid it out; only what stands for a number or a type can change that.
    const isLayout = typeof declared !== "string" && /^(type|enum|alias)$/.test(declared.kind);
    const isPrototype =
      typeof declared !== "string" && item.kind === "declaration" && !item.tokens.includes("=");
    const isPlain = !words.some(isConstant) && !/typeof|sizeof|offsetof|ARRAY_SIZE|# define/.test(item.text);
    if ((isLayout || isPrototype) && isPlain) continue;
    if (typeof declared === "string") return undefined;
    for (const { names, text } of declared.macros)
      if (namesIn(text).some((word) => wanted.has(word))) for (const name of names) users.set(name, "macro");
    if (isLayout) {
      // An enum's own values are what changed, and known.
      const own = new Set(declared.entries.flatMap(({ names }) => names));
      const isOwn = (word: string) =>
        declared.kind === "enum" && own.has(word) && wanted.get(word) === "value";
      const inside = new Set(declared.macros.flatMap(({ text }) => namesIn(text)));
      if (words.some((word) => isConstant(word) && !isOwn(word) && !inside.has(word))) return undefined;
      if (/typeof|sizeof|offsetof|ARRAY_SIZE/.test(item.text)) return undefined;
    }
    // Something that looks like a function, and is the macro that was asked for.
    if (declared.names.some((name) => wanted.get(name) === "macro")) return undefined;
    for (const name of declared.names) users.set(name, "code");
  }
  return users;
}

/** Assembly has no use for anything else. */
async function namesConstant(
  profile: KernelProfile,
  file: string,
  names: ReadonlyMap<string, NameKind>,
): Promise<boolean> {
  const words = namesIn(await readFile(join(profile.source, file), "latin1"));
  return words.some((word) => names.get(word) === "macro" || names.get(word) === "value");
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
