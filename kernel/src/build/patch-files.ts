import { existsSync } from "node:fs";
import { lstat, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { Fault } from "../host/fault.js";
// biome-ignore lint/style/noRestrictedImports: for git, which reads a patch that was judged, and runs nothing of it.
import { type RunResult, run } from "../host/run.js";
import type { Work } from "../host/work.js";
import { applyHunks, type HunkMismatch } from "./hunks.js";
import { BUILD_LIMITS, type PatchLimits } from "./patch-limits.js";
import { type NamedFile, type PatchSection, scanPatch } from "./scan-patch.js";

/** One patch of a series. */
export interface PatchFile {
  /** What the person called it; shown in messages. */
  readonly name: string;
  readonly text: Uint8Array;
}

/** A file of the tree that the series leaves different. */
export interface FileChange {
  /** Relative to the root of the tree. */
  readonly path: string;
  /** Absent for a new file. */
  readonly before?: Buffer;
  /** Absent for a deleted file. */
  readonly after?: Buffer;
}

/** A part of a patch that does not fit the tree. */
export interface Misfit {
  /** Name of the patch. */
  readonly patch: string;
  readonly file: string;
  /** The nearest match; counts from 1. */
  readonly line?: number;
  readonly column?: number;
  /** A clause: what the patch expects and the tree does not have. */
  readonly reason: string;
  /** What to do; empty when the reason says it all. */
  readonly remedy: string;
  readonly detail?: string;
}

/**
 * Applies a series of patches, in order, to private copies of the files that they touch.
 * Every patch is judged before anything is written, and what `git apply` made of them is judged again after.
 * @param source root of the pristine tree; only read
 * @param folder empty folder for the copies
 * @returns changed files, sorted by path; never empty
 * @throws Fault `bad-input` for patches that do not apply, change nothing, are beyond the limits, or are no plain
 *   source change
 */
export async function applyPatches(
  work: Pick<Work, "signal">,
  source: string,
  patches: readonly PatchFile[],
  folder: string,
): Promise<FileChange[]> {
  const { changes, misfits } = await applyWhatFits(work, source, patches, folder, BUILD_LIMITS);
  const [first] = misfits;
  if (!first) return changes;
  const others = misfits.length > 1 ? ` (and ${misfits.length - 1} more)` : "";
  throw new Fault("bad-input", `${first.patch} does not apply: ${placeOf(first)}: ${first.reason}${others}`, {
    remedy: first.remedy,
    detail: misfits.map((one) => `${placeOf(one)}: ${one.reason}\n${one.detail ?? ""}`.trimEnd()).join("\n"),
  });
}

function placeOf({ file, line, column }: Misfit): string {
  return [file, line, column].filter(isPresent).join(":");
}

/**
 * Like {@link applyPatches}, but goes on after what does not fit.
 * @returns changed files, sorted by path, without those that a misfit is in; all misfits, in the order of the patches;
 *   and what the patches say around their diffs
 * @throws Fault `bad-input` for patches that change nothing, are beyond the limits, or are no plain source change
 */
export async function applyWhatFits(
  work: Pick<Work, "signal">,
  source: string,
  patches: readonly PatchFile[],
  folder: string,
  limits: PatchLimits,
): Promise<{ changes: FileChange[]; misfits: Misfit[]; description: string }> {
  if (patches.length === 0) throw new Fault("bad-input", "no patch given");
  const bytes = patches.reduce((sum, patch) => sum + patch.text.length, 0);
  if (bytes > limits.bytes)
    throw new Fault("bad-input", `the patches are ${bytes} bytes long; the limit is ${limits.bytes}`);

  const git = gitIn(work, folder, limits.seconds);
  const scanned: { patch: PatchFile; sections: readonly PatchSection[] }[] = [];
  const descriptions: string[] = [];
  for (const patch of patches) {
    const { sections, description } = scanPatch(patch.name, Buffer.from(patch.text).toString("latin1"));
    judgeHunks(patch.name, sections, limits.hunksPerFile);
    await agreeWithGit(git, patch, sections);
    scanned.push({ patch, sections });
    descriptions.push(Buffer.from(description, "latin1").toString());
  }
  const paths = new Set(scanned.flatMap(({ sections }) => sections.flatMap(({ file }) => pathsOf(file))));
  if (paths.size > limits.files)
    throw new Fault("bad-input", `the patches touch ${paths.size} files; the limit is ${limits.files}`);

  const originals = new Map<string, Buffer>();
  for (const path of [...paths].sort()) {
    const content = await readPlainFile(source, path);
    if (content === undefined) continue;
    originals.set(path, content);
    await mkdir(join(folder, dirname(path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  const misfits: Misfit[] = [];
  for (const { patch, sections } of scanned) {
    const { status, stderr } = await git(patch, []);
    if (status === 0) continue;
    const found = await applySections(source, folder, patch.name, sections);
    if (found.length === 0)
      throw new Fault("bad-input", `${patch.name} does not apply: ${firstError(stderr)}`, { detail: stderr });
    misfits.push(...found);
  }

  const results = await readResults(folder, paths);
  const unfit = new Set(misfits.map(({ file }) => file));
  const changes = [...paths]
    .sort()
    .map((path) => ({ path, before: originals.get(path), after: results.get(path) }))
    .filter(({ before, after }) => !(before === after || (before && after && before.equals(after))))
    .filter(({ path }) => !unfit.has(path))
    .map(({ path, before, after }) => ({ path, ...(before && { before }), ...(after && { after }) }));
  if (changes.length === 0 && misfits.length === 0)
    throw new Fault("bad-input", "the patches change nothing");
  return { changes, misfits, description: descriptions.join("\n") };
}

function pathsOf({ before, after }: NamedFile): string[] {
  return [before, after].filter(isPresent);
}

function judgeHunks(name: string, sections: readonly PatchSection[], limit: number): void {
  const counts = new Map<string, number>();
  for (const { file, hunks } of sections) {
    const path = file.after ?? file.before ?? "";
    const count = (counts.get(path) ?? 0) + hunks.length;
    if (count > limit)
      throw new Fault("bad-input", `${name} has more than ${limit} hunks for ${path}: that is no hot patch`);
    counts.set(path, count);
  }
}

/**
 * Applies to the copies in `folder` what fits of a patch that git refused as a whole.
 * @returns what does not fit
 */
async function applySections(
  source: string,
  folder: string,
  patch: string,
  sections: readonly PatchSection[],
): Promise<Misfit[]> {
  const misfits: Misfit[] = [];
  for (const { file, hunks } of sections) {
    const { before, after } = file;
    const text = before === undefined ? "" : await readCopy(folder, before);
    if (text === undefined) {
      misfits.push({ patch, file: before ?? "", reason: NO_FILE, remedy: "" });
      continue;
    }
    const patched = applyHunks(text, hunks);
    const taken = after !== undefined && after !== before ? await readCopy(folder, after) : undefined;
    if (after !== undefined && taken !== undefined) {
      const isSame = taken === patched.text;
      const reason = isSame
        ? "the patch makes this file, and it is there already"
        : "the patch makes this file, and another is there";
      misfits.push({ patch, file: after, reason, remedy: isSame ? HAS_IT : AGAINST_THIS });
      continue;
    }
    const path = before ?? after ?? "";
    for (const mismatch of patched.mismatches) misfits.push(misfitOf(patch, path, hunks.length, mismatch));
    if (before !== undefined && before !== after) await rm(join(folder, before));
    if (after === undefined) continue;
    await mkdir(join(folder, dirname(after)), { recursive: true });
    await writeFile(join(folder, after), patched.text, "latin1");
  }
  return await namingOthers(source, misfits);
}

const HAS_IT = "this source has the change already";
const AGAINST_THIS = "make it against this kernel's source";

function misfitOf(patch: string, file: string, hunks: number, mismatch: HunkMismatch): Misfit {
  const { hunk, line, column, reason, isThere, detail } = mismatch;
  return {
    patch,
    file,
    ...(line !== undefined && { line }),
    ...(column !== undefined && { column }),
    reason: `hunk ${hunk} of ${hunks} ${reason}`,
    remedy: isThere ? HAS_IT : AGAINST_THIS,
    ...(detail !== undefined && { detail }),
  };
}

/** For files that the tree lacks: says where others of the same name are. */
async function namingOthers(source: string, misfits: readonly Misfit[]): Promise<Misfit[]> {
  const lacking = misfits.filter(({ reason }) => reason === NO_FILE);
  if (lacking.length === 0) return [...misfits];
  const above = await readdir(source);
  const places = await filesNamed(source, new Set(lacking.map(({ file }) => basename(file))));
  return misfits.map((misfit) => {
    if (misfit.reason !== NO_FILE) return misfit;
    const { file } = misfit;
    if (above.some((name) => existsSync(join(source, name, file))))
      return { ...misfit, remedy: "paths need the leading a/ and b/ that 'git diff' writes" };
    const others = places.get(basename(file)) ?? [];
    if (others.length === 0) return misfit;
    const more = others.length > OTHERS ? ` and ${others.length - OTHERS} more` : "";
    return { ...misfit, remedy: `files of that name: ${others.slice(0, OTHERS).join(", ")}${more}` };
  });
}

const NO_FILE = "this tree has no such file";
const OTHERS = 3;
/** More than any kernel has; where it ends, so does the search. */
const FOLDERS = 20_000;

/** Paths of the files that have one of the names, nearest to the root first. */
async function filesNamed(root: string, names: ReadonlySet<string>): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  const folders = [""];
  for (let next = 0; next < folders.length && next < FOLDERS; next++) {
    const folder = folders[next] ?? "";
    for (const entry of await readdir(join(root, folder), { withFileTypes: true }).catch(() => [])) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory() && entry.name !== ".git") folders.push(path);
      if (!entry.isFile() || !names.has(entry.name)) continue;
      found.set(entry.name, [...(found.get(entry.name) ?? []), path]);
    }
  }
  return found;
}

async function readCopy(folder: string, path: string): Promise<string | undefined> {
  const content = await readPlainFile(folder, path);
  return content?.toString("latin1");
}

type Git = (patch: PatchFile, options: readonly string[]) => Promise<RunResult>;

/** Nothing of the person's configuration or of a repository around us may decide what a patch does. */
function gitIn(work: Pick<Work, "signal">, folder: string, seconds: number): Git {
  return (patch, options) =>
    run(work, ["git", "apply", "-p1", "--whitespace=nowarn", ...options, "-"], {
      cwd: folder,
      input: patch.text,
      deadline: seconds,
      env: {
        LC_ALL: "C",
        GIT_DIR: join(folder, ".no-repository"),
        GIT_CEILING_DIRECTORIES: dirname(folder),
        GIT_CONFIG_NOSYSTEM: "1",
        GIT_CONFIG_GLOBAL: "/dev/null",
      },
    });
}

/** What we judged must be what git will do: both must read the same files out of the patch. */
async function agreeWithGit(git: Git, patch: PatchFile, sections: readonly PatchSection[]): Promise<void> {
  const { status, stdout, stderr } = await git(patch, ["--numstat", "-z"]);
  if (status !== 0)
    throw new Fault("bad-input", `${patch.name} is damaged: ${firstError(stderr)}`, { detail: stderr });
  const named = stdout
    .split("\0")
    .filter((entry) => entry !== "")
    .map((entry) => entry.split("\t").slice(2).join("\t"));
  const ours = sections.map(({ file: { before, after } }) => after ?? before ?? "");
  if (named.sort().join("\0") !== ours.sort().join("\0"))
    throw new Fault("bad-input", `${patch.name} can be read in more than one way`, {
      detail: `git: ${named.join(" ")}\nhere: ${ours.join(" ")}`,
    });
}

/**
 * Reads a file of a tree that a patch names.
 * @returns the file's content; absent when there is none
 * @throws Fault `bad-input` when the path, or a folder on its way, is anything but a plain file and plain folders
 */
export async function readPlainFile(root: string, path: string): Promise<Buffer | undefined> {
  const parts = path.split("/");
  for (let count = 1; count <= parts.length; count++) {
    const here = parts.slice(0, count).join("/");
    const found = await lstat(join(root, here)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (found === undefined) return undefined;
    if (found.isSymbolicLink())
      throw new Fault("bad-input", `${here} is a symbolic link; cannot patch ${path}`);
    if (count < parts.length && !found.isDirectory())
      throw new Fault("bad-input", `${here} is no folder; cannot patch ${path}`);
    if (count === parts.length && !found.isFile()) throw new Fault("bad-input", `${path} is no plain file`);
  }
  return await readFile(join(root, path));
}

async function readResults(folder: string, expected: ReadonlySet<string>): Promise<Map<string, Buffer>> {
  const results = new Map<string, Buffer>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = relative(folder, join(entry.parentPath, entry.name));
    if (entry.isDirectory()) continue;
    if (!entry.isFile() || !expected.has(path))
      throw new Fault("bad-input", `the patches make ${path}, which is no plain file that they name`);
    results.set(path, await readFile(join(folder, path)));
  }
  return results;
}

function firstError(stderr: string): string {
  const line = stderr.split("\n").find((text) => text.startsWith("error: ")) ?? stderr.split("\n")[0] ?? "";
  return line.replace(/^error: /, "");
}

function isPresent<T>(value: T | undefined): value is T {
  return value !== undefined;
}
