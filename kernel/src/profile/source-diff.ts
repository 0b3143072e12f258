import { copyFile, lstat, mkdir, mkdtemp, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Fault } from "../host/fault.js";
import { runOk } from "../host/run.js";
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

/** The person's and the machine's git settings would change the text, as would attributes that the sources bring. */
const NO_SETTINGS = {
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_SYSTEM: "/dev/null",
  GIT_ATTR_NOSYSTEM: "1",
};
const NO_ATTRIBUTES = "* -text -filter -ident -working-tree-encoding !diff !eol\n";
/** The repository is thrown away: what it holds need neither be small nor outlive a power cut. */
const SCRATCH = [
  "-c",
  "core.autocrlf=false",
  "-c",
  "core.fsync=none",
  "-c",
  "core.looseCompression=0",
] as const;
const FORMAT = ["-r", "--patch", "--no-renames", "--full-index", "--binary", "--unified=3"] as const;

/** Has git compare two trees of its own that hold just what differs. */
async function compare(
  work: Work,
  from: string,
  to: string,
  names: ReadonlySet<string>,
  write: (chunk: Buffer) => void,
): Promise<void> {
  const aside = await mkdtemp(join(tmpdir(), "kernel-hotpatch-"));
  try {
    const repository = join(aside, "git");
    await runOk(work, ["git", "init", "--quiet", "--bare", repository], { env: NO_SETTINGS });
    await writeFile(join(repository, "info/attributes"), NO_ATTRIBUTES);
    const trees: string[] = [];
    for (const source of [from, to]) {
      const folder = join(aside, `files-${trees.length}`);
      await copyAll(work, source, folder, names);
      const git = ["git", "--git-dir", repository, "--work-tree", folder] as const;
      const options = {
        env: { ...NO_SETTINGS, GIT_INDEX_FILE: join(aside, `index-${trees.length}`) },
        cwd: folder,
      };
      await runOk(work, [...git, ...SCRATCH, "add", "--force", "--all", "."], options);
      trees.push((await runOk(work, [...git, "write-tree"], options)).trim());
    }
    await runOk(work, ["git", "--git-dir", repository, "diff-tree", ...FORMAT, ...trees], {
      env: NO_SETTINGS,
      onOutput: write,
    });
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
