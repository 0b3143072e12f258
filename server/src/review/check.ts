import type { FileChange } from "@kernel-hotpatch/kernel/build/patch-files";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import type { Observation } from "@kernel-hotpatch/kernel/observation";
import { loadEngine } from "../syntax/engine.js";
import { decodeSource } from "../syntax/source-text.js";
import type { SourceTree } from "../tree/source-tree.js";
import { checkFiles } from "./check-files.js";
import { findingOf } from "./finding-of.js";
import type { Review } from "./review.js";
import { suppress } from "./suppress.js";
import { tool } from "./tool.js";
import { heaviestFirst, verdictOf } from "./verdict.js";

/** What is known of a patch besides the files that it changes. */
export interface PatchAbout {
  /** What the person called its parts. */
  readonly names: readonly string[];
  readonly sha256: string;
  /** What its author says of it: a mail's text, messages of commits. */
  readonly description: string;
  /** What was noticed while it was read, such as hunks that do not apply. */
  readonly observations: readonly Observation[];
}

/**
 * Has the source witness alone judge a change.
 * @throws Fault as `checkFiles`
 */
export async function checkPatch(
  work: Work,
  tree: SourceTree,
  changes: readonly FileChange[],
  about: PatchAbout,
): Promise<Review> {
  const noticed = about.observations.map((observation) => findingOf(observation, "source"));
  const checked = await checkFiles(work, await loadEngine(), tree, changes);
  const texts = new Map(changes.map(({ path, after }) => [path, after && decodeSource(after)]));
  const findings = suppress([...noticed, ...checked], {
    textOf: (path) => texts.get(path),
    paths: changes.map(({ path }) => path),
    description: about.description,
  });
  const files = new Set([
    ...changes.map(({ path }) => path),
    ...about.observations.flatMap(({ file }) => file ?? []),
  ]);
  return {
    schemaVersion: 1,
    tool,
    kernel: { id: tree.id, arch: tree.arch, release: tree.version.join(".") },
    patch: { files: [...files].sort(), sha256: about.sha256 },
    verdict: verdictOf(findings),
    witnesses: ["source"],
    findings: heaviestFirst(findings),
  };
}
