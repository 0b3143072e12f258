import { createHash, randomUUID } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { mkdir, readdir, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, dirname, isAbsolute, join, relative } from "node:path";
import { runConfined } from "../host/confined.js";
import { Fault } from "../host/fault.js";
import { withLock } from "../host/lock.js";
// biome-ignore lint/style/noRestrictedImports: for a copy of our own folder.
import { runOk } from "../host/run.js";
import type { Work } from "../host/work.js";
import { emulationFlags } from "../profile/emulated-compiler.js";
import { foldersOf, type KernelProfile } from "../profile/profile.js";
import { readCommandFile } from "./compile-command.js";

/** A translation unit as the profile's own kernel has it. */
export interface Original {
  /** ORIG.o, as the compiler left it: without objtool's additions. */
  readonly object: Uint8Array;
  readonly compile: readonly string[];
  readonly objtool?: readonly string[];
  /** What it was made of, relative to the tree's root and spelled as the compiler did (with `..`). */
  readonly sources: readonly string[];
  /** Files that its build generated and the profile's build folder lacks or has otherwise, by path in that folder. */
  readonly generated: Readonly<Record<string, string>>;
  /** Differs when anything that it was made of does. */
  readonly print: string;
}

/** What the cache keeps beside ORIG.o. */
interface Entry extends Omit<Original, "object" | "print"> {
  readonly schemaVersion: 1;
  readonly sha256: string;
  /** Size and time of every file that had a say; the entry is void when one differs. */
  readonly stamps: Readonly<Record<string, string>>;
}

/** What Kbuild is asked to add, so that functions and variables can be told apart. */
export const SECTION_FLAGS = "-ffunction-sections -fdata-sections";
const MAKE_FOLDER = "make-in-";
const LIMIT = { seconds: 300, secondsPerUnit: 60 };

/**
 * Compiles units of the pristine tree, or takes them from the cache. What is not there yet is made by one `make` in a
 * private copy of the profile's build folder.
 * @param units paths of `.c` files
 * @returns by unit, in the order of `units`; a unit is missing when Kbuild has no rule for it under this configuration
 * @throws Fault `defect` when the pristine tree does not compile
 */
export async function originalsOf(
  work: Work,
  profile: KernelProfile,
  units: readonly string[],
): Promise<Map<string, Original>> {
  const store = await openStore(work, profile);
  const found = new Map<string, Original>();
  const take = async (wanted: readonly string[]) => {
    for (const unit of wanted) {
      const original = await readEntry(store, profile, unit);
      if (original) found.set(unit, original);
    }
    return units.filter((unit) => !found.has(unit));
  };
  const inOrder = () =>
    new Map(
      units.flatMap((unit) => {
        const original = found.get(unit);
        return original ? [[unit, original] as const] : [];
      }),
    );
  if ((await take(units)).length === 0) return inOrder();
  await withLock(work, join(store.folder, "make.lock"), `compiling for ${profile.id}`, async () => {
    const missing = await take(units.filter((unit) => !found.has(unit)));
    if (missing.length === 0) return;
    const { folder, made } = await make(work, store, profile, missing);
    for (const unit of made) await writeEntry(store, profile, folder, unit);
    await take(made);
  });
  return inOrder();
}

/** The folder for everything kept about builds of one profile; another toolchain or place makes it another folder. */
export async function buildCache(work: Pick<Work, "cache">, profile: KernelProfile): Promise<string> {
  const { id, release, source, build, compiler, makeVariables } = profile;
  const key = createHash("sha256")
    .update(JSON.stringify([1, id, release, source, build, compiler, makeVariables, SECTION_FLAGS]))
    .digest("hex");
  // make cannot do with many of the characters that an id may have.
  const folder = join(work.cache, "build", `${id.replace(/[^\w.-]+/g, "_")}-${key.slice(0, 16)}`);
  await mkdir(folder, { recursive: true });
  return folder;
}

/** Forgets everything that builds of a profile have kept. */
export async function removeBuildCache(work: Pick<Work, "cache">, profile: KernelProfile): Promise<void> {
  await rm(await buildCache(work, profile), { recursive: true, force: true });
}

interface Store {
  readonly folder: string;
  /** The tree as Kbuild spells it. */
  readonly source: string;
  /** Stamps that were looked up already. */
  readonly stamps: Map<string, string>;
}

async function openStore(work: Work, profile: KernelProfile): Promise<Store> {
  return {
    folder: await buildCache(work, profile),
    source: await realpath(profile.source),
    stamps: new Map(),
  };
}

async function readEntry(store: Store, profile: KernelProfile, unit: string): Promise<Original | undefined> {
  const place = entryPath(store, unit);
  let notes: string;
  let entry: Entry;
  let object: Buffer;
  try {
    notes = await readFile(`${place}.json`, "utf8");
    entry = JSON.parse(notes) as Entry;
    object = await readFile(`${place}.o`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
  const { schemaVersion, sha256, stamps, ...rest } = entry;
  if (schemaVersion !== 1 || createHash("sha256").update(object).digest("hex") !== sha256) return undefined;
  for (const [path, stamp] of Object.entries(stamps))
    if (stampOf(store, profile, path) !== stamp) return undefined;
  return { ...rest, object, print: createHash("sha256").update(notes).digest("hex") };
}

/** Object first, notes last: notes whose object is missing or another one are void. */
async function writeEntry(store: Store, profile: KernelProfile, folder: string, unit: string): Promise<void> {
  const object = await readFile(join(folder, objectPath(unit)));
  const saved = readCommandFile(await readFile(join(folder, commandPath(unit)), "utf8"), objectPath(unit));
  const generated: Record<string, string> = {};
  const sources: string[] = [];
  const stamped = [...makefilesAbove(unit).map((path) => `source:${path}`), "build:.config"];
  for (const spelled of [...saved.dependencies, "include/generated/autoconf.h"]) {
    const path = isAbsolute(spelled) ? spelled : join(folder, spelled);
    if (spelled.startsWith(`${store.source}/`)) {
      const inTree = spelled.slice(store.source.length + 1);
      sources.push(inTree);
      stamped.push(`source:${inTree}`);
    } else if (path.startsWith(`${folder}/`)) {
      const inBuild = relative(folder, path);
      stamped.push(`build:${inBuild}`);
      const made = await readFile(path, "utf8");
      if (made !== (await readIfThere(join(profile.build, inBuild)))) generated[inBuild] = made;
    } else stamped.push(`other:${spelled}`);
  }
  const entry: Entry = {
    schemaVersion: 1,
    sha256: createHash("sha256").update(object).digest("hex"),
    compile: saved.compile,
    ...(saved.objtool && { objtool: saved.objtool }),
    sources,
    generated,
    stamps: Object.fromEntries(stamped.map((path) => [path, stampOf(store, profile, path)])),
  };
  const place = entryPath(store, unit);
  await mkdir(dirname(place), { recursive: true });
  await writeAside(`${place}.o`, object);
  await writeAside(`${place}.json`, JSON.stringify(entry));
}

async function readIfThere(path: string): Promise<string | undefined> {
  return existsSync(path) ? await readFile(path, "utf8") : undefined;
}

/** Writes a file that nobody ever sees in part. */
export async function writeAside(path: string, content: Uint8Array | string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  await writeFile(aside, content);
  await rename(aside, path);
}

/**
 * Runs make for objects; to be called under the lock.
 * @returns the folder it worked in and the units that it has a rule for
 */
async function make(
  work: Work,
  store: Store,
  profile: KernelProfile,
  units: readonly string[],
): Promise<{ folder: string; made: string[] }> {
  const mark = join(store.folder, "make-folder");
  const folder = (await takeMakeFolder(store, profile, mark)) ?? (await newMakeFolder(work, store, profile));
  work.progress(`compiling ${units.length === 1 ? units[0] : `${units.length} files`} unpatched`);
  const objects = units.map(objectPath);
  const variables = Object.entries(profile.makeVariables).map(([name, value]) => `${name}=${value}`);
  const { status, stderr, stdout } = await runConfined(
    work,
    [
      "make",
      "-C",
      store.source,
      `O=${folder}`,
      `-j${availableParallelism()}`,
      "--keep-going",
      ...variables,
      // true(1) in the place of objtool: ORIG.o must be what PATCHED.o is compared with, the compiler's own.
      "objtool=true",
      `KCFLAGS=${[...emulationFlags(profile.compiler), SECTION_FLAGS].join(" ")}`,
      ...objects,
    ],
    { readable: foldersOf(profile), writable: folder },
    { deadline: LIMIT.seconds + units.length * LIMIT.secondsPerUnit },
  );
  const words = `${stdout}\n${stderr}`;
  const made = units.filter(
    (unit) => existsSync(join(folder, objectPath(unit))) && existsSync(join(folder, commandPath(unit))),
  );
  const unexplained = units.filter(
    (unit) => !made.includes(unit) && !words.includes(`No rule to make target '${objectPath(unit)}'`),
  );
  if (unexplained.length > 0 || (status !== 0 && made.length === units.length)) {
    const error =
      stderr.split("\n").find((line) => /\berror\b|\*\*\*/i.test(line)) ?? `exit status ${status}`;
    throw new Fault("defect", `cannot compile the unpatched ${unexplained[0] ?? units[0]}: ${error}`, {
      detail: stderr,
    });
  }
  await writeAside(mark, JSON.stringify([basename(folder), stampOf(store, profile, "build:.config")]));
  return { folder, made };
}

/**
 * The folder of the last make, if that came to its end. Until this one does, nothing says so any more: a make that is
 * killed may leave half-written files that the next one would take for whole.
 */
async function takeMakeFolder(
  store: Store,
  profile: KernelProfile,
  mark: string,
): Promise<string | undefined> {
  if (!existsSync(mark)) return undefined;
  const [name, configuration] = JSON.parse(await readFile(mark, "utf8")) as [string, string];
  await rm(mark);
  return configuration === stampOf(store, profile, "build:.config") ? join(store.folder, name) : undefined;
}

/** Under a name of its own, because the children of a make that was killed may still be writing to the last one. */
async function newMakeFolder(work: Work, store: Store, profile: KernelProfile): Promise<string> {
  if (/[\s:]/.test(`${store.folder}${store.source}`))
    throw new Fault("bad-input", `Kbuild cannot work in a path with spaces or colons: ${store.folder}`, {
      remedy: "set XDG_CACHE_HOME to another place",
    });
  work.progress("copying the prepared build folder");
  for (const name of await readdir(store.folder))
    if (name.startsWith(MAKE_FOLDER))
      await rm(join(store.folder, name), { recursive: true, force: true, maxRetries: 10 });
  const folder = join(store.folder, `${MAKE_FOLDER}${randomUUID()}`);
  await runOk(work, ["cp", "-a", "--reflink=auto", profile.build, folder]);
  await moveNotes(join(folder, "tools"), profile.build, folder);
  return folder;
}

/** The notes of tools/build name their outputs absolutely; left as they are, make would compile every tool again. */
async function moveNotes(tools: string, from: string, to: string): Promise<void> {
  if (!existsSync(tools)) return;
  for (const entry of await readdir(tools, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/\.(?:cmd|d)$/.test(entry.name)) continue;
    const path = join(entry.parentPath, entry.name);
    const text = await readFile(path, "utf8");
    if (text.includes(from)) await writeFile(path, text.replaceAll(from, to));
  }
}

function entryPath(store: Store, unit: string): string {
  return join(store.folder, "units", unit);
}

function objectPath(unit: string): string {
  return unit.replace(/\.c$/, ".o");
}

function commandPath(unit: string): string {
  const at = unit.lastIndexOf("/") + 1;
  return `${unit.slice(0, at)}.${objectPath(unit.slice(at))}.cmd`;
}

/** The makefiles that decide whether and how a unit is compiled; which of the names exist is part of the answer. */
function makefilesAbove(unit: string): string[] {
  const paths: string[] = [];
  for (let folder = dirname(unit); ; folder = dirname(folder)) {
    paths.push(join(folder, "Makefile"), join(folder, "Kbuild"));
    if (folder === ".") return paths;
  }
}

/** @param path `source:`, `build:` (relative to those folders) or `other:` (absolute), then the path */
function stampOf(store: Store, profile: KernelProfile, path: string): string {
  const known = store.stamps.get(path);
  if (known !== undefined) return known;
  const at = path.indexOf(":");
  const roots: Record<string, string> = { source: store.source, build: profile.build };
  const found = statSync(join(roots[path.slice(0, at)] ?? "/", path.slice(at + 1)), {
    throwIfNoEntry: false,
  });
  const stamp = found === undefined ? "none" : `${found.size} ${found.mtimeMs}`;
  store.stamps.set(path, stamp);
  return stamp;
}
