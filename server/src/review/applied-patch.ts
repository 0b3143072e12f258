import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  applyWhatFits,
  type FileChange,
  type Misfit,
  type PatchFile,
} from "@kernel-hotpatch/kernel/build/patch-files";
import type { PatchLimits } from "@kernel-hotpatch/kernel/build/patch-limits";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import type { Observation } from "@kernel-hotpatch/kernel/observation";

/** A patch that was laid over a tree: what it makes of each file, and what is known of it besides. */
export interface AppliedPatch {
  /** Sorted by path; empty when nothing of the patch fits. */
  readonly changes: readonly FileChange[];
  readonly sha256: string;
  /** What its author says of it: a mail's text, messages of commits. */
  readonly description: string;
  /** What was noticed while it was read, such as hunks that do not apply. */
  readonly observations: readonly Observation[];
}

/**
 * Lays patches over a tree, in memory.
 * @param root of the tree; only read
 * @throws Fault `bad-input` as `applyWhatFits`
 */
export async function applyToTree(
  work: Work,
  root: string,
  patches: readonly PatchFile[],
  limits: PatchLimits,
): Promise<AppliedPatch> {
  work.progress("applying the patch");
  const folder = await mkdtemp(join(tmpdir(), "hotpatch-check-"));
  try {
    const { changes, misfits, description } = await applyWhatFits(work, root, patches, folder, limits);
    const hash = createHash("sha256");
    for (const { text } of patches) hash.update(text);
    return { changes, sha256: hash.digest("hex"), description, observations: misfits.map(observationOf) };
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
