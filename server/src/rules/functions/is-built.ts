import type { TreeFacts } from "../../tree/tree-facts.js";

/** Whether code of a file may be part of the running kernel; a header always may. */
export function isBuilt(facts: TreeFacts, path: string): boolean {
  return !path.endsWith(".c") || facts.build(path).into !== "nothing";
}
