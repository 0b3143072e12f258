import type { Work } from "@kernel-hotpatch/kernel/host/work";
import { loadEngine } from "../syntax/engine.js";
import { decodeSource } from "../syntax/source-text.js";
import type { SourceTree } from "../tree/source-tree.js";
import type { AppliedPatch } from "./applied-patch.js";
import { checkFiles } from "./check-files.js";
import type { Finding } from "./finding.js";
import { findingOf } from "./finding-of.js";
import type { Review } from "./review.js";
import { suppress } from "./suppress.js";
import { tool } from "./tool.js";
import { heaviestFirst, verdictOf } from "./verdict.js";

/**
 * Has the source witness alone judge a change.
 * @throws Fault as `checkFiles`
 */
export async function checkPatch(work: Work, tree: SourceTree, patch: AppliedPatch): Promise<Review> {
  const findings = withSuppressions(patch, await sourceFindings(work, tree, patch));
  const files = new Set([
    ...patch.changes.map(({ path }) => path),
    ...patch.observations.flatMap(({ file }) => file ?? []),
  ]);
  return {
    schemaVersion: 1,
    tool,
    kernel: { id: tree.id, arch: tree.arch, release: tree.release },
    patch: { files: [...files].sort(), sha256: patch.sha256 },
    verdict: verdictOf(findings),
    witnesses: ["source"],
    findings: heaviestFirst(findings),
  };
}

/** What the source witness says of a patch, and what was noticed while it was read. */
export async function sourceFindings(
  work: Work,
  tree: SourceTree,
  { changes, observations }: AppliedPatch,
): Promise<Finding[]> {
  const noticed = observations.map((observation) => findingOf(observation, "source"));
  return [...noticed, ...(await checkFiles(work, await loadEngine(), tree, changes))];
}

/** Findings of any witness, with those set aside that the patch's author gives a reason for. */
export function withSuppressions(
  { changes, description }: AppliedPatch,
  findings: readonly Finding[],
): Finding[] {
  const texts = new Map(changes.map(({ path, after }) => [path, after && decodeSource(after)]));
  const paths = changes.map(({ path }) => path);
  return suppress(findings, { textOf: (path) => texts.get(path), paths, description });
}
