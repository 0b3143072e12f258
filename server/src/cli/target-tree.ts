import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import { listProfiles } from "@kernel-hotpatch/kernel/profile/store";
import { workingTree } from "../repository/git.js";
import { targetKernel } from "../review/target-kernel.js";
import { openTree, treeOfProfile } from "../tree/open-tree.js";
import type { SourceTree } from "../tree/source-tree.js";

/**
 * The source to check against: of the kernel named; else the tree named; else of the kernel that reviews would use; else,
 * when none was added, the kernel tree that the current folder is in.
 * @param kernel what `--kernel` said
 * @param folder what `--tree` said
 * @throws Fault `bad-input` when there is none, or both are named
 */
export async function targetTree(
  work: Work,
  kernel: string | undefined,
  folder: string | undefined,
): Promise<SourceTree> {
  if (kernel !== undefined && folder !== undefined)
    throw new Fault("bad-input", "--kernel and --tree each name a source: give one of them");
  if (folder !== undefined) return await openTree(folder);
  if (kernel !== undefined || (await listProfiles(work.cache)).length > 0)
    return await treeOfProfile(await targetKernel(work, kernel), work.cache);
  const here = (await workingTree(work)) ?? process.cwd();
  return await openTree(here).catch((error: unknown) => {
    if (!(error instanceof Fault) || error.code !== "bad-input") throw error;
    throw new Fault("bad-input", "no kernel has been added, and the current folder is in no kernel tree", {
      remedy: "name one with --tree, or run 'hotpatch kernel add'",
      cause: error,
    });
  });
}
