import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { targetKernel } from "../review/target-kernel.js";
import { openTree, treeOfProfile } from "../tree/open-tree.js";
import type { SourceTree } from "../tree/source-tree.js";

/** What a change in a person's tree is judged against. */
export interface Target {
  /** The tree that rules ask. */
  readonly tree: SourceTree;
  /** The kernel to patch; absent when none fits. */
  readonly profile?: KernelProfile;
}

/**
 * The kernel that a tree's changes are for: the one named; else the one that reviews would use, if the tree is of its
 * version. Where none fits, the tree is judged by itself.
 * @param kernel what the person chose
 * @throws Fault `bad-input` for a kernel that was not added
 */
export async function targetOf(work: Work, root: string, kernel: string | undefined): Promise<Target> {
  const own = await openTree(root);
  const profile = await targetKernel(work, kernel).catch((error: unknown) => {
    if (kernel === undefined && error instanceof Fault && error.code === "bad-input") return undefined;
    throw error;
  });
  if (profile) {
    const tree = await treeOfProfile(profile, work.cache);
    if (kernel !== undefined || tree.version.join() === own.version.join()) return { tree, profile };
  }
  // Whoever opens a tree here hears of its changes, and forgets the answers then.
  return { tree: { ...own, answers: new Map() } };
}
