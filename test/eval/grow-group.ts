import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import { sourcePrints } from "@kernel-hotpatch/kernel/profile/file-prints";
import type { Builder, BuiltPatch, EvalPatch, Reason } from "./built-patch.js";
import type { Pair } from "./pair.js";

/** A file of both sources that is not the same. */
type Changed = EvalPatch["files"][number];

/** Finds out what a changed file needs besides itself. */
export interface GroupGrower {
  /**
   * Builds a file that does not compile alone, with ever more of what the compiler and the linker miss.
   * @returns the last build; its outcome is still `does-not-compile` when nothing more was found
   */
  grow(id: string, file: Changed): Promise<{ readonly patch: EvalPatch; readonly built: BuiltPatch }>;
}

const MOST_ROUNDS = 6;
const MOST_FILES = 12;

/** @throws Fault as the build functions */
export async function openGrower(work: Work, pair: Pair, builder: Builder): Promise<GroupGrower> {
  const changed = await readChanged(work, pair);
  return {
    async grow(id, file) {
      let patch: EvalPatch = { id, files: [file] };
      let built = await builder.build(patch);
      for (let round = 0; round < MOST_ROUNDS; round++) {
        const missing = built.reasons.flatMap(missingIn);
        const have = new Set(patch.files.map(({ path }) => path));
        const more = changed.filter(
          (other) => !have.has(other.path) && missing.some((name) => introduces(other, name)),
        );
        if (more.length === 0 || have.size + more.length > MOST_FILES) break;
        const files = [...patch.files, ...more].toSorted((a, b) => (a.path < b.path ? -1 : 1));
        patch = { id, files };
        work.progress(`${id}: with ${more.map(({ path }) => path).join(", ")}`);
        built = await builder.build(patch);
      }
      return { patch, built };
    },
  };
}

async function readChanged(work: Work, { older, newer }: Pair): Promise<Changed[]> {
  const prints = await sourcePrints(work, older.source);
  const changed: Changed[] = [];
  for (const [path, print] of await sourcePrints(work, newer.source)) {
    const isOther = /^(?:tools|scripts|samples|Documentation|arch\/(?!x86\/))/.test(path);
    if (!/\.[ch]$/.test(path) || isOther || !prints.has(path) || prints.get(path) === print) continue;
    if (!existsSync(join(older.source, path))) continue;
    changed.push({
      path,
      before: await readFile(join(older.source, path)),
      after: await readFile(join(newer.source, path)),
    });
  }
  return changed;
}

/** Names that the compiler quotes where it fails, and symbols that nothing in the kernel defines. */
function missingIn({ rule, symbol, message }: Reason): string[] {
  if (rule === "unresolved-symbol") return symbol === undefined ? [] : [symbol];
  if (rule !== "does-not-compile") return [];
  return [...message.matchAll(/[‘']([A-Za-z_]\w*)[’']/g)].map(([, name = ""]) => name);
}

/** Whether the newer file defines or declares a name, at the top or as a member, that the older one does not have. */
function introduces({ before, after }: Changed, name: string): boolean {
  if (before.includes(name) || !after.includes(name)) return false;
  const text = after.toString("latin1");
  const shapes = [
    `^#[ \\t]*define[ \\t]+${name}\\b`,
    `^[A-Za-z_][^;={}\\n]*\\b${name}[ \\t]*(?:\\(|\\[|=|;|,)`,
    `^(?:struct|union|enum)\\s+${name}\\b`,
    `^[ \\t]+[^;(){}=\\n]*\\b${name}\\b[^;(){}\\n]*[;,]`,
    `^\\t${name}\\b`,
  ];
  return new RegExp(shapes.join("|"), "m").test(text);
}
