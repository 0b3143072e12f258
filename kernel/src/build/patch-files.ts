import { existsSync } from "node:fs";
import { lstat, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { Fault } from "../host/fault.js";
import { run } from "../host/run.js";
import type { Work } from "../host/work.js";
import { type NamedFile, scanPatch } from "./scan-patch.js";

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

const LIMIT = { bytes: 8 * 1024 * 1024, files: 400, seconds: 60 };

/**
 * Applies a series of patches, in order, to private copies of the files that they touch.
 * Every patch is judged before anything is written, and what `git apply` made of them is judged again after.
 * @param source root of the pristine tree; only read
 * @param folder empty folder for the copies
 * @returns changed files, sorted by path; never empty
 * @throws Fault `bad-input` for patches that do not apply, change nothing, or are no plain source change
 */
export async function applyPatches(
  work: Pick<Work, "signal">,
  source: string,
  patches: readonly PatchFile[],
  folder: string,
): Promise<FileChange[]> {
  if (patches.length === 0) throw new Fault("bad-input", "no patch given");
  const bytes = patches.reduce((sum, patch) => sum + patch.text.length, 0);
  if (bytes > LIMIT.bytes)
    throw new Fault("bad-input", `the patches are ${bytes} bytes long; the limit is ${LIMIT.bytes}`);

  const scanned: { patch: PatchFile; files: NamedFile[] }[] = [];
  for (const patch of patches) {
    const files = scanPatch(patch.name, Buffer.from(patch.text).toString("latin1"));
    await agreeWithGit(work, patch, files, folder);
    scanned.push({ patch, files });
  }
  const paths = new Set(
    scanned.flatMap(({ files }) => files.flatMap(({ before, after }) => [before, after].filter(isPresent))),
  );
  if (paths.size > LIMIT.files)
    throw new Fault("bad-input", `the patches touch ${paths.size} files; the limit is ${LIMIT.files}`);

  const originals = new Map<string, Buffer>();
  for (const path of [...paths].sort()) {
    const content = await readPlainFile(source, path);
    if (content === undefined) continue;
    originals.set(path, content);
    await mkdir(join(folder, dirname(path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  for (const { patch } of scanned) await applyOne(work, patch, source, folder);

  const results = await readResults(folder, paths);
  const changes = [...paths]
    .sort()
    .map((path) => ({ path, before: originals.get(path), after: results.get(path) }))
    .filter(({ before, after }) => !(before === after || (before && after && before.equals(after))))
    .map(({ path, before, after }) => ({ path, ...(before && { before }), ...(after && { after }) }));
  if (changes.length === 0) throw new Fault("bad-input", "the patches change nothing");
  return changes;
}

/** Nothing of the person's configuration or of a repository around us may decide what a patch does. */
async function gitApply(work: Pick<Work, "signal">, folder: string, patch: PatchFile, options: string[]) {
  return await run(work, ["git", "apply", "-p1", "--whitespace=nowarn", ...options, "-"], {
    cwd: folder,
    input: patch.text,
    deadline: LIMIT.seconds,
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
async function agreeWithGit(
  work: Pick<Work, "signal">,
  patch: PatchFile,
  files: readonly NamedFile[],
  folder: string,
): Promise<void> {
  const { status, stdout, stderr } = await gitApply(work, folder, patch, ["--numstat", "-z"]);
  if (status !== 0)
    throw new Fault("bad-input", `${patch.name} is damaged: ${firstError(stderr)}`, { detail: stderr });
  const git = stdout
    .split("\0")
    .filter((entry) => entry !== "")
    .map((entry) => entry.split("\t").slice(2).join("\t"));
  const ours = files.map(({ before, after }) => after ?? before ?? "");
  if (git.sort().join("\0") !== ours.sort().join("\0"))
    throw new Fault("bad-input", `${patch.name} can be read in more than one way`, {
      detail: `git: ${git.join(" ")}\nhere: ${ours.join(" ")}`,
    });
}

async function applyOne(
  work: Pick<Work, "signal">,
  patch: PatchFile,
  source: string,
  folder: string,
): Promise<void> {
  const { status, stderr } = await gitApply(work, folder, patch, []);
  if (status === 0) return;
  const failed = /^error: patch failed: (.*:\d+)$/m.exec(stderr)?.[1];
  if (failed !== undefined) {
    const reversed = await gitApply(work, folder, patch, ["--reverse", "--check"]);
    throw new Fault("bad-input", `${patch.name} does not apply: hunk at ${failed}`, {
      detail: stderr,
      remedy:
        reversed.status === 0 ? "this source has the change already" : "make it against this kernel's source",
    });
  }
  const missing = /^error: (.*): No such file or directory$/m.exec(stderr)?.[1];
  if (missing !== undefined) {
    const above = await readdir(source);
    const unstripped = above.some((name) => existsSync(join(source, name, missing)));
    throw new Fault("bad-input", `${patch.name} does not apply: this kernel has no file ${missing}`, {
      detail: stderr,
      remedy: unstripped ? "paths need the leading a/ and b/ that 'git diff' writes" : "",
    });
  }
  throw new Fault("bad-input", `${patch.name} does not apply: ${firstError(stderr)}`, { detail: stderr });
}

/**
 * @returns the file's content; absent when there is none
 * @throws Fault `bad-input` when the path, or a folder on its way, is anything but a plain file and plain folders
 */
async function readPlainFile(root: string, path: string): Promise<Buffer | undefined> {
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
