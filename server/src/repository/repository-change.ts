import type { FileChange } from "@kernel-hotpatch/kernel/build/patch-files";
import { readPlainFile } from "@kernel-hotpatch/kernel/build/patch-files";
import type { PatchLimits } from "@kernel-hotpatch/kernel/build/patch-limits";
import { pathProblem } from "@kernel-hotpatch/kernel/build/scan-patch";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { runOk } from "@kernel-hotpatch/kernel/host/run";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import {
  commitsOf,
  GIT,
  NOTHING_CHANGED,
  NOTHING_FETCHED,
  nothingFiltered,
  PLAIN_DIFF,
  type Range,
} from "./git.js";

/** What differs in a repository, as files rather than as a patch. */
export interface RepositoryChange {
  /** Sorted by path; never empty. */
  readonly changes: readonly FileChange[];
  /** Messages of the range's commits. */
  readonly description: string;
}

/**
 * Reads what a range of commits changes or, when none is named, what the working tree changes since HEAD: new files
 * that kernels are built from count even before `git add`, unless they are ignored.
 * @param root of the working tree
 * @throws Fault `bad-input` for commits git does not know, no change, links, submodules, binary sources, conflicts, paths
 *   that no kernel has, or more than `limits` allow
 */
export async function repositoryChange(
  work: Work,
  root: string,
  range: Range | undefined,
  limits: PatchLimits,
): Promise<RepositoryChange> {
  const revisions = range ? await commitsOf(work, range) : "HEAD";
  const changes = await filesThatDiffer(work, root, revisions, range === undefined, limits);
  if (changes.length === 0)
    throw new Fault(
      "bad-input",
      range ? `nothing differs in ${range.from}${range.dots}${range.to}` : NOTHING_CHANGED,
    );
  const description = range
    ? await git(work, root, ["log", "--no-show-signature", "--format=%B", revisions, "--"])
    : "";
  return { changes, description };
}

/**
 * The files of the working tree that differ from a commit, new ones included.
 * @param root of the working tree
 * @returns sorted by path; empty when nothing differs
 * @throws Fault `bad-input` as {@link repositoryChange}
 */
export async function filesSince(
  work: Pick<Work, "signal">,
  root: string,
  commit: string,
  limits: PatchLimits,
): Promise<FileChange[]> {
  return await filesThatDiffer(work, root, commit, true, limits);
}

async function filesThatDiffer(
  work: Pick<Work, "signal">,
  root: string,
  revisions: string,
  withUntracked: boolean,
  limits: PatchLimits,
): Promise<FileChange[]> {
  const listed = await git(
    work,
    root,
    ["diff", ...PLAIN_DIFF, ...RAW, revisions, "--"],
    await nothingFiltered(work, root),
  );
  const entries = rawEntries(listed);
  const added = withUntracked ? await untrackedSources(work, root) : [];
  if (entries.length + added.length > limits.files)
    throw new Fault(
      "bad-input",
      `${entries.length + added.length} files differ; the limit is ${limits.files}`,
    );
  for (const entry of entries) judgeEntry(entry);
  for (const path of added) judgePath(path);

  const blobs = await readBlobs(
    work,
    root,
    entries.flatMap(({ before, after }) => [before, after]),
  );
  const sides = entries.map(async ({ path, status, before, after }) => ({
    path,
    before: blobs.get(before),
    // Git has no name for content that only the disk holds.
    after: status === "D" ? undefined : (blobs.get(after) ?? (await readPlainFile(root, path))),
  }));
  const files = added.map(async (path) => ({
    path,
    before: undefined,
    after: await readPlainFile(root, path),
  }));
  const changes: FileChange[] = [];
  for (const { path, before, after } of await Promise.all([...sides, ...files])) {
    if (before === after || (before && after && before.equals(after))) continue;
    if (/\.[chS]$/.test(path) && (before?.includes(0) || after?.includes(0)))
      throw new Fault("bad-input", `${path} is a binary file`);
    changes.push({ path, ...(before && { before }), ...(after && { after }) });
  }
  return changes.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * What a file held in a commit.
 * @param root of the working tree
 * @param path relative to it
 * @returns undefined when the commit has no such file
 * @throws Fault as `runOk`
 */
export async function fileOfCommit(
  work: Pick<Work, "signal">,
  root: string,
  commit: string,
  path: string,
): Promise<Buffer | undefined> {
  // A path with a line break would be two names.
  if (path.includes("\n")) return undefined;
  const output = await catFiles(work, root, [`${commit}:${path}`]);
  const end = output.indexOf("\n");
  const [, size] = /^\S+ blob (\d+)$/.exec(output.toString("latin1", 0, end)) ?? [];
  return size === undefined ? undefined : output.subarray(end + 1, end + 1 + Number(size));
}

/** One line of `git diff --raw`. */
interface RawEntry {
  readonly path: string;
  readonly status: string;
  readonly modes: readonly [string, string];
  /** Names of the contents; only zeros where there is none, or none that git has. */
  readonly before: string;
  readonly after: string;
}

const RAW = ["--raw", "-z", "--no-abbrev", "--ignore-submodules=dirty"] as const;

/** `:100644 100755 SHA SHA M NUL PATH NUL` (git-diff(1), "RAW OUTPUT FORMAT"). */
function rawEntries(text: string): RawEntry[] {
  const fields = text.split("\0");
  const entries: RawEntry[] = [];
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [from = "", to = "", before = "", after = "", status = ""] = (fields[at] ?? "").slice(1).split(" ");
    entries.push({ path: fields[at + 1] ?? "", status, modes: [from, to], before, after });
  }
  return entries;
}

function judgeEntry({ path, status, modes }: RawEntry): void {
  if (status === "U")
    throw new Fault("bad-input", `${path} has conflicts of a merge`, { remedy: "resolve them first" });
  if (modes.includes("120000"))
    throw new Fault("bad-input", `${path} is a symbolic link; it cannot be patched`);
  if (modes.includes("160000")) throw new Fault("bad-input", `${path} is a submodule; it cannot be patched`);
  judgePath(path);
}

function judgePath(path: string): void {
  const problem = pathProblem(`a/${path}`);
  if (problem) throw new Fault("bad-input", problem.replace('"a/', '"'));
}

/** What a kernel is built from; notes, patches and the like lie around in every working tree. */
const SOURCE = /\.(?:[chS]|inc|tbl|lds|dtsi?)$|(?:^|\/)(?:Kconfig|Makefile|Kbuild)[^/]*$/;

async function untrackedSources(work: Pick<Work, "signal">, root: string): Promise<string[]> {
  const listed = await git(work, root, ["ls-files", "--others", "--exclude-standard", "-z"]);
  return listed.split("\0").filter((path) => SOURCE.test(path));
}

/** Both sides of the largest change between two stable kernels are far below it. */
const CONTENT_LIMIT = 512 * 1024 * 1024;

/** @returns contents by name, for those names that are not all zeros */
async function readBlobs(
  work: Pick<Work, "signal">,
  root: string,
  names: readonly string[],
): Promise<Map<string, Buffer>> {
  const wanted = [...new Set(names)].filter((name) => !/^0+$/.test(name));
  return wanted.length === 0 ? new Map() : batchContents(await catFiles(work, root, wanted));
}

/** What `git cat-file --batch` says of objects, one name a line. */
async function catFiles(work: Pick<Work, "signal">, root: string, names: readonly string[]): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const full = new AbortController();
  let size = 0;
  await runOk({ signal: AbortSignal.any([work.signal, full.signal]) }, [...GIT, "cat-file", "--batch"], {
    cwd: root,
    env: NOTHING_FETCHED,
    input: `${names.join("\n")}\n`,
    onOutput: (chunk) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > CONTENT_LIMIT) full.abort();
    },
  }).catch((error: unknown) => {
    if (!full.signal.aborted) throw error;
    throw new Fault("bad-input", `the files that differ hold more than ${CONTENT_LIMIT / 1024 / 1024} MiB`);
  });
  return Buffer.concat(chunks);
}

/** `SHA SP blob SP SIZE LF CONTENT LF` for each (git-cat-file(1), "BATCH OUTPUT"). */
function batchContents(output: Buffer): Map<string, Buffer> {
  const contents = new Map<string, Buffer>();
  for (let at = 0; at < output.length; ) {
    const end = output.indexOf("\n", at);
    const header = output.toString("latin1", at, end);
    const [, name, size] = /^(\S+) blob (\d+)$/.exec(header) ?? [];
    if (name === undefined)
      throw new Fault("bad-input", "this repository lacks files of the commits that differ", {
        detail: header,
        remedy: "fetch them, for example with 'git fetch --refetch'",
      });
    contents.set(name, output.subarray(end + 1, end + 1 + Number(size)));
    at = end + 1 + Number(size) + 1;
  }
  return contents;
}

async function git(
  work: Pick<Work, "signal">,
  root: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = NOTHING_FETCHED,
): Promise<string> {
  const failure = { code: "bad-input" as const, message: "git cannot say what differs" };
  return await runOk(work, [...GIT, ...args], { cwd: root, env, failure });
}
