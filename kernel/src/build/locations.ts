import type { Observation } from "../observation.js";
import { patchedLine } from "./line-markers.js";
import type { FileChange } from "./patch-files.js";

/**
 * Debug information names files by where they were compiled and counts lines as the original file does (see
 * line-markers.ts); people want the path in the tree and the line in the patched file.
 * @param roots folders that files may be spelled below: the tree and the view of it
 */
export function inPatchedTree(
  observation: Observation,
  roots: readonly string[],
  changes: readonly FileChange[],
): Observation {
  const { file, line } = observation;
  if (file === undefined) return observation;
  const root = roots.find((folder) => file.startsWith(`${folder}/`));
  const path = root === undefined ? file : file.slice(root.length + 1);
  const change = changes.find((candidate) => candidate.path === path);
  if (line === undefined || !change?.before || !change.after) return { ...observation, file: path };
  const before = change.before.toString("latin1");
  const after = change.after.toString("latin1");
  return { ...observation, file: path, line: patchedLine(before, after, line) };
}
