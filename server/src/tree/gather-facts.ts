import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import type { ChangeSet } from "../change/change-set.js";
import type { Engine } from "../syntax/tree.js";
import type { SourceTree } from "./source-tree.js";
import type { TreeFacts, Use } from "./tree-facts.js";

/** Provisional, by regular expressions: replaced by branch `tree`. */
export async function gatherFacts(
  _work: Work,
  tree: SourceTree,
  changes: ChangeSet,
  _engine: Engine,
): Promise<TreeFacts> {
  const texts = new Map<string, string>();
  for (const path of await readdir(tree.root, { recursive: true }))
    if (/\.[ch]$/.test(path)) texts.set(path, await readFile(join(tree.root, path), "utf8"));
  for (const { path, after } of changes.files)
    if (after) texts.set(path, after.text);
    else texts.delete(path);
  const inPatch = new Set(changes.files.map(({ path }) => path));
  const usesIn = (file: string, text: string, name: string): Use[] => {
    const uses: Use[] = [];
    let within: string | undefined;
    for (const [index, line] of text.split("\n").entries()) {
      const head = /^[a-zA-Z_].*?(\w+)\([^;]*$/.exec(line);
      if (head) within = head[1];
      if (line.startsWith("}")) within = undefined;
      for (const match of line.matchAll(new RegExp(`\\b${name}\\b`, "g"))) {
        const rest = line.slice(match.index + name.length);
        const outer = head ? undefined : within;
        const argumentOf = /(\w+)\([^()]*$/.exec(line.slice(0, match.index))?.[1];
        const member = /\.(\w+)\s*=\s*&?$/.exec(line.slice(0, match.index))?.[1];
        const kind = /(struct|union|enum) $/.test(line.slice(0, match.index))
          ? "type"
          : rest.startsWith("(")
            ? outer || /^\s/.test(line)
              ? "call"
              : /;\s*$/.test(line)
                ? "declaration"
                : "definition"
            : "address";
        uses.push({
          file,
          line: index + 1,
          column: match.index + 1,
          kind,
          inPatch: inPatch.has(file),
          ...(outer !== undefined && { within: outer }),
          ...(argumentOf !== undefined && { argumentOf }),
          ...(member !== undefined && { member }),
        });
      }
    }
    return uses;
  };
  return {
    tree,
    build: () => ({ into: "vmlinux" }),
    uses: (name) => {
      const places = [...texts].flatMap(([file, text]) => usesIn(file, text, name));
      return { places, count: places.length };
    },
    reach: () => ({ units: 0, atLeast: false, examples: [] }),
    exported: () => undefined,
  };
}
