import { lstatSync, readlinkSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault } from "../host/fault.js";
import { runOk } from "../host/run.js";
import type { Work } from "../host/work.js";
import { type FilePrints, sourcePrints, takePrints } from "./file-prints.js";
import type { KernelProfile } from "./profile.js";

/** One side of a comparison. */
type Side = Pick<KernelProfile, "id" | "source">;

/**
 * Writes the difference between the sources of two profiles as a patch that `git apply` and `patch -p1` take: sorted
 * by path, without dates, new and removed files included.
 * @param paths files and folders to confine it to, relative to the tree's root; the whole source when empty
 * @param write called with each piece of the patch, in order
 * @throws Fault `bad-input` for a path that leaves the tree or that neither source has; `lacking` without git
 */
export async function writeSourceDiff(
  work: Work,
  from: Side,
  to: Side,
  paths: readonly string[],
  write: (chunk: Buffer) => void,
): Promise<void> {
  work.progress(`comparing the sources of ${from.id} and ${to.id}`);
  const differing = new Set<string>();
  for (const path of paths.length === 0 ? [""] : paths.map(insideTree)) {
    const [before, after] = [await printsOf(work, from, path), await printsOf(work, to, path)];
    if (before.size + after.size === 0) {
      throw new Fault("bad-input", `neither ${from.id} nor ${to.id} has ${path} in its source`);
    }
    for (const name of [...before.keys(), ...after.keys()]) {
      if (before.get(name) !== after.get(name)) differing.add(name);
    }
  }
  if (differing.size > 0) await compare(work, from.source, to.source, [...differing], write);
}

/** Like {@link writeSourceDiff}, for differences that are not large. @returns the patch */
export async function diffSources(
  work: Work,
  from: Side,
  to: Side,
  paths: readonly string[],
): Promise<string> {
  const chunks: Buffer[] = [];
  await writeSourceDiff(work, from, to, paths, (chunk) => chunks.push(chunk));
  return Buffer.concat(chunks).toString();
}

function printsOf(work: Work, side: Side, path: string): Promise<FilePrints> {
  return path === "" ? sourcePrints(work, side.source) : takePrints(work, side.source, path);
}

/** The person's and the machine's git settings would change the text. */
const NO_SETTINGS = {
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_SYSTEM: "/dev/null",
  GIT_ATTR_NOSYSTEM: "1",
};
/** The repository is thrown away: what it holds need neither be small nor outlive a power cut. */
const SCRATCH = ["-c", "core.fsync=none", "-c", "core.looseCompression=0"] as const;
const FORMAT = ["-r", "--patch", "--no-renames", "--full-index", "--binary", "--unified=3"] as const;

/** Has git compare two trees of its own that hold just what differs. */
async function compare(
  work: Work,
  from: string,
  to: string,
  names: readonly string[],
  write: (chunk: Buffer) => void,
): Promise<void> {
  const aside = await mkdtemp(join(tmpdir(), "kernel-hotpatch-"));
  try {
    await runOk(work, ["git", "init", "--quiet", "--bare", aside], { env: NO_SETTINGS });
    const trees = [await writeTree(work, aside, from, names), await writeTree(work, aside, to, names)];
    await runOk(work, ["git", "--git-dir", aside, "diff-tree", ...FORMAT, ...trees], {
      env: NO_SETTINGS,
      onOutput: write,
    });
  } finally {
    await rm(aside, { recursive: true });
  }
}

/**
 * Stores those of the files that are there, as they are, in a repository.
 * @returns the id of the tree object
 */
async function writeTree(
  work: Work,
  repository: string,
  source: string,
  names: readonly string[],
): Promise<string> {
  const git = async (command: readonly string[], input: string) =>
    runOk(work, ["git", "--git-dir", repository, ...SCRATCH, ...command], { env: NO_SETTINGS, input });
  const files = names.flatMap((name) => {
    const entry = lstatSync(join(source, name), { throwIfNoEntry: false });
    return entry ? [{ name, entry }] : [];
  });
  const links = files.filter(({ entry }) => entry.isSymbolicLink());
  const rest = files.filter(({ entry }) => !entry.isSymbolicLink());
  const paths = rest.map(({ name }) => `${join(source, name)}\n`).join("");
  const ids = (await git(["hash-object", "-w", "--no-filters", "--stdin-paths"], paths)).split("\n");
  const index = rest.map(
    ({ name, entry }, at) => `${entry.mode & 0o100 ? "100755" : "100644"} ${ids[at]}\t${name}\0`,
  );
  for (const { name } of links) {
    const id = await git(["hash-object", "-w", "--stdin"], readlinkSync(join(source, name)));
    index.push(`120000 ${id.trim()}\t${name}\0`);
  }
  await git(["read-tree", "--empty"], "");
  await git(["update-index", "-z", "--index-info"], index.join(""));
  return (await git(["write-tree"], "")).trim();
}

function insideTree(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (path.startsWith("/") || parts.includes("..")) {
    throw new Fault("bad-input", `'${path}' is not a path inside the kernel's source`);
  }
  return parts.join("/");
}
