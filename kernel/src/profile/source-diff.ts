import { copyFile, lstat, mkdir, mkdtemp, readlink, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Fault } from "../host/fault.js";
import { run } from "../host/run.js";
import { checkpoint, type Work } from "../host/work.js";
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
  if (differing.size > 0) await compare(work, from.source, to.source, differing, write);
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

const GIT_DIFF = [
  "git",
  "diff",
  "--no-index",
  "--no-prefix",
  "--no-renames",
  "--full-index",
  "--binary",
] as const;
const PLAIN = [
  "--no-color",
  "--no-ext-diff",
  "--no-textconv",
  "--diff-algorithm=myers",
  "--unified=3",
] as const;

/** Has git compare folders `a` and `b` that hold just what differs: git prints the paths that it is given. */
async function compare(
  work: Work,
  from: string,
  to: string,
  names: ReadonlySet<string>,
  write: (chunk: Buffer) => void,
): Promise<void> {
  const aside = await mkdtemp(join(tmpdir(), "kernel-hotpatch-"));
  try {
    await copyAll(work, from, join(aside, "a"), names);
    await copyAll(work, to, join(aside, "b"), names);
    const { status, stderr } = await run(work, [...GIT_DIFF, ...PLAIN, "--", "a", "b"], {
      cwd: aside,
      onOutput: write,
      // The person's own git settings would change the text.
      env: { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null", GIT_CEILING_DIRECTORIES: aside },
    });
    // As diff's: 1 says that they differ.
    if (status === 1) return;
    throw new Fault("defect", `git could not compare the sources: ${stderr.trim().split("\n").at(-1)}`);
  } finally {
    await rm(aside, { recursive: true });
  }
}

/** Copies those of the files that are there. */
async function copyAll(work: Work, from: string, to: string, names: ReadonlySet<string>): Promise<void> {
  await mkdir(to);
  for (const name of names) {
    checkpoint(work);
    await mkdir(join(to, dirname(name)), { recursive: true });
    const entry = await lstat(join(from, name)).catch(() => undefined);
    if (entry?.isSymbolicLink()) await symlink(await readlink(join(from, name)), join(to, name));
    else if (entry) await copyFile(join(from, name), join(to, name));
  }
}

function insideTree(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (path.startsWith("/") || parts.includes("..")) {
    throw new Fault("bad-input", `'${path}' is not a path inside the kernel's source`);
  }
  return parts.join("/");
}
