import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "../host/fault.js";
import { withLock } from "../host/lock.js";
import type { Work } from "../host/work.js";
import { readSymbolTable } from "../sandbox/symbol-table.js";
import { both } from "./both.js";
import { fetchBusybox, resolveDebianKernel, unpackDebianKernel } from "./debian.js";
import { printsFile } from "./file-prints.js";
import { type KernelName, parseKernelName } from "./kernel-name.js";
import type { KernelParts } from "./parts.js";
import { prepareBuild } from "./prepare.js";
import type { KernelProfile } from "./profile.js";
import { namingFullDisk } from "./room.js";
import { snapshotTree, treeState } from "./tree.js";

/** Names the shared source in a profile's folder, also while the profile is not finished. */
const SOURCE_NOTE = "source-in-use";
/** What {@link treeState} said of the tree when its snapshot was taken. */
const TREE_STATE = "tree-state";
/** Tries again for as long as an orphan of a killed run still adds files. */
const REMOVE_ALL = { recursive: true, force: true, maxRetries: 10 } as const;

/**
 * Makes a kernel's profile, or finds it made already. A tree that changed since is taken anew.
 * Whatever an earlier, killed run left is taken away first; the profile exists once its `profile.json` does.
 * @param id `debian/<release>`, `debian/latest-amd64`, `debian/latest-arm64` or `tree:PATH`
 * @throws Fault `bad-input` for an unknown kernel or an unusable tree, `lacking` without network, tools or room
 */
export async function addProfile(work: Work, id: string): Promise<KernelProfile> {
  const name = parseKernelName(id);
  return namingFullDisk(work, () => (name.kind === "tree" ? addTree(work, name) : addDebian(work, name)));
}

/** All profiles that exist, by id. @param cache the cache's folder */
export async function listProfiles(cache: string): Promise<KernelProfile[]> {
  const kinds = ["debian", "tree"].map((kind) => join(cache, "kernels", kind));
  const folders = await Promise.all(
    kinds.map(async (kind) => (await foldersIn(kind)).map((name) => join(kind, name))),
  );
  const profiles = await Promise.all(folders.flat().map(readProfile));
  return profiles
    .filter((profile) => profile !== undefined)
    .sort((a, b) => a.id.localeCompare(b.id, "en", { numeric: true }));
}

/**
 * Reads a profile that was added.
 * @param id as {@link addProfile} takes it; `debian/latest-…` means what it was when it was added, and asks the
 *   archive only when it never was
 * @throws Fault `bad-input` when there is no such profile
 */
export async function loadProfile(work: Work, id: string): Promise<KernelProfile> {
  const name = parseKernelName(id);
  const profile = await readProfile(profileFolder(work.cache, await exactId(work, name)));
  if (profile) return profile;
  throw new Fault("bad-input", `kernel ${name.id} has not been added`, {
    remedy: `run 'hotpatch kernel add ${name.id}'`,
  });
}

/**
 * Removes a profile, finished or not, and its source when no other profile uses that.
 * @throws Fault `bad-input` when there is nothing of that id
 */
export async function removeProfile(work: Work, id: string): Promise<void> {
  const exact = await exactId(work, parseKernelName(id));
  const folder = profileFolder(work.cache, exact);
  await withLock(work, lockFile(work.cache, folder), `another run uses ${exact}`, async () => {
    const entries = await readdir(folder).catch(() => undefined);
    if (!entries) {
      throw new Fault("bad-input", `kernel ${exact} has not been added`, {
        remedy: "'hotpatch kernel list' shows those that are",
      });
    }
    const source = await readFile(join(folder, SOURCE_NOTE), "utf8").catch(() => undefined);
    // First the file that says that the profile exists.
    await rm(join(folder, "profile.json"), { force: true });
    await rm(folder, REMOVE_ALL);
    if (source !== undefined) await removeUnusedSource(work, source);
  });
}

async function addDebian(work: Work, name: KernelName): Promise<KernelProfile> {
  const kernel = await resolveDebianKernel(work, name.id);
  const folder = profileFolder(work.cache, kernel.id);
  const source = join(work.cache, "sources", `${kernel.sourcePackage}_${kernel.sourceVersion}`);
  const make = async () => {
    const existing = await readProfile(folder);
    if (existing) return existing;
    const files = await startAfresh(folder);
    await writeFile(join(folder, SOURCE_NOTE), source);
    // Held to the end: until the profile exists, nothing else tells that the source is in use.
    return withLock(work, lockFile(work.cache, source), `${source} is being used`, async () =>
      finish(work, kernel.id, folder, files, await unpackDebianKernel(work, kernel, files, source)),
    );
  };
  const profile = await withLock(work, lockFile(work.cache, folder), `${kernel.id} is being added`, make);
  if (name.kind === "latest") await writeWhole(latestFile(work.cache, name.id), `${kernel.id}\n`);
  return profile;
}

async function addTree(work: Work, name: Extract<KernelName, { kind: "tree" }>): Promise<KernelProfile> {
  const folder = profileFolder(work.cache, name.id);
  return withLock(work, lockFile(work.cache, folder), `${name.id} is being added`, async () => {
    const state = await treeState(work, name.path);
    const existing = await readProfile(folder);
    const known = await readFile(join(folder, TREE_STATE), "utf8").catch(() => undefined);
    if (existing && state !== undefined && state === known) return existing;
    const files = await startAfresh(folder);
    const snapshot = await snapshotTree(work, name.path, files);
    if (state === undefined) await rm(join(folder, TREE_STATE), { force: true });
    else await writeFile(join(folder, TREE_STATE), state);
    const busybox = await fetchBusybox(work, snapshot.arch, files);
    return finish(work, name.id, folder, files, { ...snapshot, busybox });
  });
}

async function finish(
  work: Work,
  id: string,
  folder: string,
  files: string,
  parts: KernelParts,
): Promise<KernelProfile> {
  const symbolTable = join(files, "kallsyms");
  const [prepared] = await both(
    work,
    (shared) => prepareBuild(shared, parts, files),
    async (shared) => writeFile(symbolTable, await readSymbolTable(shared, parts)),
  );
  const profile: KernelProfile = { schemaVersion: 1, id, ...parts, ...prepared, symbolTable };
  await writeWhole(join(folder, "profile.json"), `${JSON.stringify(profile, undefined, 2)}\n`);
  return profile;
}

/**
 * Makes the folder for a profile's files, and takes away what earlier attempts left. Each attempt has a folder of its
 * own, since programs that a killed run had started may go on writing into theirs for a moment.
 */
async function startAfresh(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  await rm(join(folder, "profile.json"), { force: true });
  const earlier = (await readdir(folder)).filter((name) => /^files-\d+$/.test(name));
  const number = 1 + Math.max(0, ...earlier.map((name) => Number(name.slice("files-".length))));
  const files = join(folder, `files-${number}`);
  await mkdir(files);
  for (const name of earlier) await rm(join(folder, name), REMOVE_ALL);
  return files;
}

async function removeUnusedSource(work: Work, source: string): Promise<void> {
  await withLock(work, lockFile(work.cache, source), `${source} is being used`, async () => {
    const users = (await listProfiles(work.cache)).filter((profile) => profile.source === source);
    if (users.length > 0) return;
    // By renaming first: a source that has its name is whole.
    await rm(printsFile(source), { force: true });
    const aside = `${source}.partial-removed`;
    await rename(source, aside).catch(ignoreMissing);
    await rm(aside, REMOVE_ALL);
  });
}

async function exactId(work: Work, name: KernelName): Promise<string> {
  if (name.kind !== "latest") return name.id;
  const noted = await readFile(latestFile(work.cache, name.id), "utf8").catch(() => "");
  return noted.trim() || (await resolveDebianKernel(work, name.id)).id;
}

/** @returns undefined when there is none, or one of another version of ours, or one that a power cut spoilt */
async function readProfile(folder: string): Promise<KernelProfile | undefined> {
  try {
    const profile: KernelProfile = JSON.parse(await readFile(join(folder, "profile.json"), "utf8"));
    return profile.schemaVersion === 1 ? profile : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || isMissing(error)) return undefined;
    throw error;
  }
}

async function foldersIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

/** Of `debian/6.1.0-56-amd64`, `kernels/debian/6.1.0-56-amd64`; of a tree, a name that is unique and still told apart. */
function profileFolder(cache: string, id: string): string {
  const name = parseKernelName(id);
  if (name.kind !== "tree") return join(cache, "kernels", id);
  const base = (name.path.split("/").at(-1) ?? "").replaceAll(/[^A-Za-z0-9.+-]/g, "_");
  return join(cache, "kernels", "tree", `${base}-${shortHash(name.path)}`);
}

/** Notes which kernel `debian/latest-…` was when it was added. */
const latestFile = (cache: string, id: string) => join(cache, "kernels", id);
const lockFile = (cache: string, path: string) => join(cache, "locks", shortHash(path));
const shortHash = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 12);

const isMissing = (error: unknown) => error instanceof Error && "code" in error && error.code === "ENOENT";

function ignoreMissing(error: unknown): void {
  if (!isMissing(error)) throw error;
}
