import { lstat, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault } from "../host/fault.js";
import { run } from "../host/run.js";
import type { Work } from "../host/work.js";
import type { KernelProfile } from "./profile.js";

/**
 * Writes the difference between the sources of two profiles as a patch that `git apply` and `patch -p1` take: sorted
 * by path, without dates, new and removed files included.
 * @param paths files and folders to confine it to, relative to the tree's root; the whole source when empty
 * @param write called with each piece of the patch, in order
 * @throws Fault `bad-input` for a path that leaves the tree or that neither source has; `lacking` without git
 */
export async function writeSourceDiff(
  work: Work,
  from: Pick<KernelProfile, "id" | "source">,
  to: Pick<KernelProfile, "id" | "source">,
  paths: readonly string[],
  write: (chunk: Buffer) => void,
): Promise<void> {
  const wanted = paths.length === 0 ? [""] : outermost(paths.map(insideTree));
  work.progress(`comparing the sources of ${from.id} and ${to.id}`);
  for (const path of wanted) {
    const aside = await mkdtemp(join(tmpdir(), "kernel-hotpatch-"));
    try {
      const sides = await Promise.all([from, to].map((profile) => kindOf(join(profile.source, path))));
      if (sides.every((kind) => kind === "absent")) {
        throw new Fault("bad-input", `neither ${from.id} nor ${to.id} has ${path} in its source`);
      }
      const folder = sides.includes("folder");
      const a = await side(aside, "a", from.source, path, sides[0] === "absent", folder);
      const b = await side(aside, "b", to.source, path, sides[1] === "absent", folder);
      await compare(work, aside, a, b, write);
    } finally {
      await rm(aside, { recursive: true });
    }
  }
}

/** Like {@link writeSourceDiff}, for differences that are not large. @returns the patch */
export async function diffSources(
  work: Work,
  from: Pick<KernelProfile, "id" | "source">,
  to: Pick<KernelProfile, "id" | "source">,
  paths: readonly string[],
): Promise<string> {
  const chunks: Buffer[] = [];
  await writeSourceDiff(work, from, to, paths, (chunk) => chunks.push(chunk));
  return Buffer.concat(chunks).toString();
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

async function compare(
  work: Work,
  cwd: string,
  a: string,
  b: string,
  write: (chunk: Buffer) => void,
): Promise<void> {
  const { status, stderr } = await run(work, [...GIT_DIFF, ...PLAIN, "--", a, b], {
    cwd,
    onOutput: write,
    // The person's own git settings would change the text.
    env: { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null", GIT_CEILING_DIRECTORIES: cwd },
  });
  // As diff's: 1 says that they differ.
  if (status > 1) {
    throw new Fault("defect", `git could not compare the sources: ${stderr.trim().split("\n").at(-1)}`);
  }
}

/** Makes a source known as `a` or `b` in the folder where git runs, since git prints the paths that it is given. */
async function side(
  aside: string,
  name: "a" | "b",
  source: string,
  path: string,
  absent: boolean,
  folder: boolean,
): Promise<string> {
  if (absent && !folder) return "/dev/null";
  if (absent) await mkdir(join(aside, name, path), { recursive: true });
  else await symlink(source, join(aside, name));
  return folder ? `${name}/${path}`.replace(/\/*$/, "/") : `${name}/${path}`;
}

async function kindOf(path: string): Promise<"absent" | "file" | "folder"> {
  try {
    return (await lstat(path)).isDirectory() ? "folder" : "file";
  } catch {
    return "absent";
  }
}

function insideTree(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (path.startsWith("/") || parts.includes("..")) {
    throw new Fault("bad-input", `'${path}' is not a path inside the kernel's source`);
  }
  return parts.join("/");
}

/** Sorted, without those that lie in another. */
function outermost(paths: readonly string[]): string[] {
  const sorted = [...new Set(paths)].sort();
  if (sorted.includes("")) return [""];
  return sorted.filter((path) => !sorted.some((other) => path.startsWith(`${other}/`)));
}
