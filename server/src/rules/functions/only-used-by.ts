import type { SourceFile } from "../../change/item.js";
import { functionHeading, usesByTokens } from "../../change/outline.js";
import type { TreeFacts, Use } from "../../tree/tree-facts.js";

/** How far callers of callers are followed. */
const DEPTH = 4;

/**
 * The uses of a changed function, when each of them is, or lies in a function of the same file that is in turn only
 * reached by, what is asked for; nothing when another use is known or a use may be unknown.
 * @param isMeant whether a use is of the kind asked for
 */
export function onlyUsedBy(
  facts: TreeFacts,
  file: SourceFile,
  name: string,
  isMeant: (use: Use) => boolean,
): readonly Use[] | undefined {
  const { places, count } = facts.uses(name);
  if (places.length < count) return undefined;
  const uses = places.filter(({ kind }) => kind !== "definition" && kind !== "declaration");
  const reached = (use: Use, above: readonly string[]): boolean => {
    if (isMeant(use)) return true;
    const { kind, within } = use;
    if (kind !== "call" || use.file !== file.path || within === undefined) return false;
    if (above.includes(within)) return true;
    const heading = functionHeading(file, within);
    // Only of a static function this file shows all users.
    if (!heading || !/\bstatic\b/.test(heading.text) || above.length >= DEPTH) return false;
    const callers = usesByTokens(file, within);
    return callers.length > 0 && callers.every((caller) => reached(caller, [...above, within]));
  };
  return uses.length > 0 && uses.every((use) => reached(use, [name])) ? uses : undefined;
}
