import type { Work } from "@kernel-hotpatch/kernel/host/work";
import type { Inclusions } from "./inclusions.js";
import { keptAnswers } from "./kept-answers.js";
import type { SourceTree } from "./source-tree.js";
import type { HeaderReach, UnitBuild } from "./tree-facts.js";

/** Beyond so many units nobody asks how many more there are. */
export const REACH_LIMIT = 64;

/** Headers that every compile is given by `-include` (`USERINCLUDE` in the top Makefile, `scripts/Makefile.lib`). */
const EVERYWHERE = new Set(
  ["compiler-version.h", "kconfig.h", "compiler_types.h"].map((name) => `include/linux/${name}`),
);

/**
 * How far headers reach, over other headers too.
 * @param build tells which units are compiled
 * @param inclusions of the whole tree; asked for only when not all is known from earlier runs
 * @returns by header
 * @throws what `inclusions` throws
 */
export async function headerReaches(
  work: Pick<Work, "cache">,
  tree: SourceTree,
  headers: Iterable<string>,
  build: (path: string) => UnitBuild,
  inclusions: () => Promise<Inclusions>,
): Promise<Map<string, HeaderReach>> {
  const configured = tree.config === undefined ? "any" : "built";
  const kept = keptAnswers<HeaderReach>(
    work,
    tree,
    `reach-1-${configured}-${tree.id.replaceAll(/\W/g, "_")}`,
  );
  const reaches = new Map<string, HeaderReach>();
  const wanted: string[] = [];
  for (const header of new Set(headers)) {
    const known = kept.read(header);
    if (known) reaches.set(header, known);
    else wanted.push(header);
  }
  if (wanted.length === 0) return reaches;
  const known = await inclusions();
  for (const header of wanted) {
    const reach = reachOf(known, header, build);
    reaches.set(header, reach);
    kept.write(header, reach);
  }
  return reaches;
}

function reachOf(inclusions: Inclusions, header: string, build: (path: string) => UnitBuild): HeaderReach {
  const seen = new Set([header]);
  const units: string[] = [];
  let frontier = [header];
  while (frontier.length > 0) {
    const next: string[] = [];
    for (const file of frontier) {
      if (EVERYWHERE.has(file))
        return { units: REACH_LIMIT, atLeast: true, examples: units.slice(0, EXAMPLES) };
      for (const includer of inclusions.includers(file)) {
        if (seen.has(includer)) continue;
        seen.add(includer);
        next.push(includer);
        if (includer.endsWith(".c") && build(includer).into !== "nothing") units.push(includer);
        if (units.length > REACH_LIMIT)
          return { units: units.length, atLeast: true, examples: units.slice(0, EXAMPLES) };
      }
    }
    frontier = next;
  }
  return { units: units.length, atLeast: false, examples: units.slice(0, EXAMPLES) };
}

const EXAMPLES = 8;
