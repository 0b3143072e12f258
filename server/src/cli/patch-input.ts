import { createHash } from "node:crypto";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { applyWhatFits, type FileChange, type Misfit } from "@kernel-hotpatch/kernel/build/patch-files";
import { CHECK_LIMITS } from "@kernel-hotpatch/kernel/build/patch-limits";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import type { Observation } from "@kernel-hotpatch/kernel/observation";
import type { PatchAbout } from "../review/check.js";
import type { SourceTree } from "../tree/source-tree.js";
import { rangeNamed, readPatches } from "./patch-argument.js";
import { SINCE_HEAD, workingTree } from "./repository.js";
import { repositoryChange } from "./repository-change.js";

/** A change, ready to be checked, and what is known of where it came from. */
export interface PatchInput {
  /** Sorted by path; empty when nothing of the patch fits. */
  readonly changes: readonly FileChange[];
  readonly about: PatchAbout;
}

/**
 * What the PATCH arguments of `hotpatch check` change in a tree. A range, or nothing, means the repository's own files
 * when the tree is the working tree of the repository that the current folder is in; all else is applied to the tree.
 * @throws Fault `bad-input` as `readPatches`, `applyWhatFits` and `repositoryChange`
 */
export async function patchInput(
  work: Work,
  tree: SourceTree,
  named: readonly string[],
): Promise<PatchInput> {
  work.progress("reading the patch");
  const [only, ...others] = named;
  const range = only === undefined || others.length > 0 ? undefined : await rangeNamed(only);
  if (only === undefined || range) {
    const root = await workingTree(work);
    if (root !== undefined && (await realpath(root)) === (await realpath(tree.root))) {
      const { changes, description } = await repositoryChange(work, root, range, CHECK_LIMITS);
      const about = { names: [only ?? SINCE_HEAD], sha256: digestOf(changes), description, observations: [] };
      return { changes, about };
    }
  }
  const patches = await readPatches(work, named, CHECK_LIMITS);
  work.progress("applying the patch");
  const folder = await mkdtemp(join(tmpdir(), "hotpatch-check-"));
  try {
    const { changes, misfits, description } = await applyWhatFits(
      work,
      tree.root,
      patches,
      folder,
      CHECK_LIMITS,
    );
    const hash = createHash("sha256");
    for (const { text } of patches) hash.update(text);
    const names = patches.map(({ name }) => name);
    return {
      changes,
      about: { names, sha256: hash.digest("hex"), description, observations: misfits.map(observationOf) },
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function observationOf({ patch, file, line, column, reason, remedy, detail }: Misfit): Observation {
  return {
    rule: "does-not-apply",
    message: `${patch} does not apply: ${reason}${remedy ? ` (${remedy})` : ""}`,
    file,
    ...(line !== undefined && { line }),
    ...(column !== undefined && { column }),
    ...(detail !== undefined && { detail }),
  };
}

/** Of what a repository changes, where no patch's bytes are at hand: of paths and contents. */
function digestOf(changes: readonly FileChange[]): string {
  const hash = createHash("sha256");
  for (const { path, before, after } of changes)
    for (const part of [path, before ?? "", after ?? ""]) hash.update(`${part.length}\n`).update(part);
  return hash.digest("hex");
}
