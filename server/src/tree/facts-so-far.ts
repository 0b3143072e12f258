import { unitBuilds } from "./kbuild.js";
import type { SourceTree } from "./source-tree.js";
import { exportsOf } from "./symvers.js";
import { NotGathered, type TreeFacts } from "./tree-facts.js";

/**
 * What is known of a tree while somebody edits it: what was gathered for an earlier state of the change and, before that,
 * what makefiles and exports tell by themselves. Look-ups of anything else throw {@link NotGathered}.
 * @param gathered the facts of an earlier state
 * @param paths the files that they were gathered for
 */
export function factsSoFar(
  tree: SourceTree,
  gathered: TreeFacts | undefined,
  paths: ReadonlySet<string>,
): TreeFacts {
  const textBuild = unitBuilds(tree);
  const exported = exportsOf(tree.moduleSymvers);
  const missing = (what: string): never => {
    throw new NotGathered(`${what} was not gathered`);
  };
  return {
    tree,
    build(path) {
      if (gathered && paths.has(path)) return gathered.build(path);
      const found = textBuild(path);
      // What no makefile lists may be included by a unit: that takes a search.
      const isOpen = (found.into === "nothing" || found.into === "unknown") && found.option === undefined;
      return isOpen ? missing(`what ${path} is built into`) : found;
    },
    uses: (name) => gathered?.uses(name) ?? missing(`uses of ${name}`),
    reach: (header) =>
      gathered && paths.has(header) ? gathered.reach(header) : missing(`reach of ${header}`),
    exported,
  };
}
