import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { Fault } from "../host/fault.js";
import { run } from "../host/run.js";
import type { Work } from "../host/work.js";
import type { KernelProfile } from "../profile/profile.js";
import { type ChangedNames, describe, isDirective, type NameKind } from "./changed-names.js";
import { type HeaderItem, headerItems } from "./header-items.js";
import { SOURCE_ARCH } from "./kbuild.js";
import type { FileChange } from "./patch-files.js";
import { sourceFolders } from "./source-folders.js";

const DEADLINE = 300;
/** Beyond so many `.c` files nobody asks any more which of them are built. */
const FILE_LIMIT = 500;

/**
 * Finds the `.c` files that may notice a change: those that name what changed, or a macro, function or variable of a
 * header that does, over any number of headers. Names that macros may put together of parts (`##`) count where all that
 * is left without the macro's own part is named.
 * @param changes the whole patch: its files count as they were and as they become
 * @returns paths, sorted; or a sentence when it cannot be told by names
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
  let parts: Parts | undefined;
  while (pending.size > 0) {
    for (const [name, kind] of pending) known.set(name, kind);
    const wanted = new Set(pending.keys());
    const pastable = [...pending].filter(([, kind]) => kind !== "new macro").map(([name]) => name);
    if (pastable.length > 0) parts ??= await pastedParts(work, profile);
    for (const rest of pastable.flatMap((name) => (parts ? restsOf(name, parts) : []))) wanted.add(rest);
    const found = await filesWithWords(work, profile, wanted);
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
        if (typeof users === "string") return `${users} in ${path}`;
        for (const [name, kind] of users) if (!known.has(name)) next.set(name, kind);
      }
    }
    if (files.size > FILE_LIMIT) return `more than ${FILE_LIMIT} files use it`;
    pending = next;
  }
  return [...files].sort();
}

/** Of a header the names of what uses others. @param wanted `names`, and parts of them */
function usersIn(
  items: readonly HeaderItem[] | undefined,
  names: ReadonlyMap<string, NameKind>,
  wanted: ReadonlySet<string>,
): Map<string, NameKind> | string {
  if (!items) return "braces do not match before preprocessing";
  const users = new Map<string, NameKind>();
  const isValue = (word: string) => wanted.has(word) && names.get(word) !== "code";
  for (const item of items) {
    const asked = tokensIn(item.condition).find((word) => names.has(word));
    if (asked !== undefined && !(isDirective(item) && item.name === asked))
      return `an #if asks for '${asked}'`;
    const words = tokensIn(item.text).filter((word) => wanted.has(word));
    if (words.length === 0) continue;
    if (isDirective(item)) {
      if (item.kind === "define") users.set(item.name, "macro");
      else if (item.kind !== "undef") return `'${item.text.replace("# ", "#")}'`;
      continue;
    }
    const described = describe(item);
    if (typeof described === "string") return described;
    for (const { name, text } of described.macros)
      if (tokensIn(text).some((word) => wanted.has(word))) users.set(name, "macro");
    if (described.kind === "symbol") {
      // The parameters of a prototype say nothing that code is made of.
      const isPrototype =
        item.kind === "declaration" && item.tokens.includes("(") && !item.tokens.includes("=");
      if (!isPrototype || words.some(isValue)) for (const name of described.names) users.set(name, "code");
    } else if (described.kind !== "nothing") {
      // Types are compared as the compiler laid them out; only what stands for a number can change that.
      const own = new Set(described.members.map(({ name }) => name));
      const used = words.find(
        (word) => isValue(word) && (!own.has(word) || names.get(word)?.endsWith("macro")),
      );
      if (used !== undefined) return `${described.tag || "a type"} uses '${used}'`;
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
  words: ReadonlySet<string>,
): Promise<Set<string>> {
  const options = ["--files-with-matches", "--word-regexp", "--fixed-strings", "--file=-"];
  const lines = await search(work, profile, options, [...words].join("\n"));
  return new Set(lines.map((file) => (file.startsWith("/") ? relative(profile.build, file) : file)));
}

/** What stands beside a `##`: before it, and behind it. Parameters of macros are among them, and do no harm. */
interface Parts {
  readonly first: ReadonlySet<string>;
  readonly last: ReadonlySet<string>;
}

async function pastedParts(work: Work, profile: KernelProfile): Promise<Parts> {
  const options = [
    "--only-matching",
    "--no-filename",
    "--no-line-number",
    "-e",
    "\\w+\\s*##",
    "-e",
    "##\\s*\\w+",
  ];
  const found = await search(work, profile, options);
  const pieces = (pattern: RegExp) =>
    new Set(found.map((text) => pattern.exec(text)?.[1]).filter((text) => text !== undefined));
  return { first: pieces(/^(\w+)\s*##$/), last: pieces(/^##\s*(\w+)$/) };
}

/** What is left of a name without such parts; macros may nest once. */
function restsOf(name: string, parts: Parts, depth = 2): string[] {
  if (depth === 0) return [];
  const rests: string[] = [];
  for (let at = 1; at < name.length; at++) {
    const [front, back] = [name.slice(0, at), name.slice(at)];
    if (parts.first.has(front)) rests.push(back);
    if (parts.last.has(back)) rests.push(front);
  }
  return [...rests, ...rests.flatMap((rest) => restsOf(rest, parts, depth - 1))];
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
