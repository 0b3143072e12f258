import { createHash } from "node:crypto";
import { realpath } from "node:fs/promises";
import type { FileChange } from "@kernel-hotpatch/kernel/build/patch-files";
import { CHECK_LIMITS } from "@kernel-hotpatch/kernel/build/patch-limits";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import { workingTree } from "../repository/git.js";
import { repositoryChange } from "../repository/repository-change.js";
import { type AppliedPatch, applyToTree } from "../review/applied-patch.js";
import type { SourceTree } from "../tree/source-tree.js";
import { type NamedPatch, rangeNamed, readPatches } from "./patch-argument.js";

/**
 * What the PATCH arguments of `hotpatch check` change in a tree. A range, or nothing, means the repository's own files
 * when the tree is the working tree of the repository that the current folder is in; all else is applied to the tree.
 * @returns it, and the patches as they were read; none for the repository's own files
 * @throws Fault `bad-input` as `readPatches`, `applyWhatFits` and `repositoryChange`
 */
export async function patchInput(
  work: Work,
  tree: SourceTree,
  named: readonly string[],
): Promise<{ applied: AppliedPatch; patches: NamedPatch[] }> {
  work.progress("reading the patch");
  const [only, ...others] = named;
  const range = only === undefined || others.length > 0 ? undefined : await rangeNamed(only);
  if (only === undefined || range) {
    const root = await workingTree(work);
    if (root !== undefined && (await realpath(root)) === (await realpath(tree.root))) {
      const { changes, description } = await repositoryChange(work, root, range, CHECK_LIMITS);
      return { applied: { changes, sha256: digestOf(changes), description, observations: [] }, patches: [] };
    }
  }
  const patches = await readPatches(work, named, CHECK_LIMITS);
  return { applied: await applyToTree(work, tree.root, patches, CHECK_LIMITS), patches };
}

/** Of what a repository changes, where no patch's bytes are at hand: of paths and contents. */
function digestOf(changes: readonly FileChange[]): string {
  const hash = createHash("sha256");
  for (const { path, before, after } of changes)
    for (const part of [path, before ?? "", after ?? ""]) hash.update(`${part.length}\n`).update(part);
  return hash.digest("hex");
}
