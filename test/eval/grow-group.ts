import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { compilePatched } from "@kernel-hotpatch/kernel/build/compile";
import { buildCache, originalsOf } from "@kernel-hotpatch/kernel/build/originals";
import type { FileChange } from "@kernel-hotpatch/kernel/build/patch-files";
import { affectedUnits } from "@kernel-hotpatch/kernel/build/units";
import { checkpoint, type Work } from "@kernel-hotpatch/kernel/host/work";
import type { Observation } from "@kernel-hotpatch/kernel/observation";
import { type Builder, type BuiltPatch, blocks, type EvalPatch, refusedUnbuilt } from "./built-patch.js";
import { type Difference, readDifference } from "./difference.js";
import { type Complaint, missingFiles } from "./missing-files.js";
import type { Pair } from "./pair.js";

/** A file with all it needs, built; or why no such group was found. */
export type Grown =
  | { readonly patch: EvalPatch; readonly built: BuiltPatch }
  | { readonly path: string; readonly reason: string };

/** Finds out what changed files need besides themselves. */
export interface GroupGrower {
  /**
   * Builds a file that does not compile alone, with ever more of what the compiler and the linker miss.
   * @throws Fault as the build functions
   */
  grow(id: string, path: string): Promise<Grown>;
}

const MOST_ROUNDS = 8;
const MOST_FILES = 24;

/** @throws Fault `interrupted` */
export async function openGrower(work: Work, pair: Pair, builder: Builder): Promise<GroupGrower> {
  const difference = await readDifference(work, pair);
  const notes = await openNotes(work, pair);
  return {
    async grow(id, path) {
      const known = await notes.read(path);
      let group = known ?? (await untilItCompiles(work, pair, difference, path));
      if (typeof group === "string") return { path, reason: group };
      for (;;) {
        if (known === undefined) await notes.write(path, group);
        const patch = { id, files: changesOf(difference, group) };
        const built = (await refusedForItsReach(work, pair, patch)) ?? (await builder.build(patch));
        const wanting = built.reasons.filter(({ rule }) =>
          /^(?:does-not-compile|unresolved-symbol)$/.test(rule),
        );
        const more = missingFiles(difference, new Set(group), wanting, () => true);
        if (more.length === 0 || group.length + more.length > MOST_FILES)
          return built.outcome === "does-not-compile"
            ? { path, reason: `${group.join(" ")}: ${built.reasons[0]?.message}` }
            : { patch, built };
        group = [...group, ...more].sort();
      }
    },
  };
}

/**
 * Compiles only the group's own files, which is soon done; what else its headers reach is the build's to see.
 * @returns paths, or why there is no end
 */
async function untilItCompiles(
  work: Work,
  pair: Pair,
  difference: Difference,
  path: string,
): Promise<string[] | string> {
  let group = [path];
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const { errors, isRead } = await compileOwn(work, pair, changesOf(difference, group));
    const [first] = errors;
    if (first === undefined) return group;
    const more = missingFiles(difference, new Set(group), errors, isRead);
    if (more.length === 0) return `${group.join(" ")}: ${first.message}`;
    group = [...group, ...more].sort();
    if (group.length > MOST_FILES) return `it needs more than ${MOST_FILES} files`;
  }
  return `no end after ${MOST_ROUNDS} rounds: ${group.join(" ")}`;
}

async function compileOwn(
  work: Work,
  { older }: Pair,
  changes: readonly FileChange[],
): Promise<{ errors: Complaint[]; isRead: (path: string) => boolean }> {
  checkpoint(work);
  const { units } = await affectedUnits(
    work,
    older,
    changes.filter(({ path, before }) => path.endsWith(".c") && before),
  );
  const originals = await originalsOf(work, older, units);
  const folder = await mkdtemp(join(tmpdir(), "hotpatch-eval-"));
  try {
    const compiled = await compilePatched(work, older, changes, originals, folder);
    const read = new Set(
      [...originals.values()].flatMap(({ sources }) => sources.map((one) => normalize(one))),
    );
    const included = changes.flatMap(({ after }) => inclusions(after));
    const isRead = (path: string) =>
      read.has(path) || included.some((text) => `/${path}`.endsWith(`/${text}`));
    return { errors: compiled.flatMap(({ observations }) => observations), isRead };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function inclusions(text: Buffer | undefined): string[] {
  const lines = text?.toString("latin1").matchAll(/^\s*#\s*include\s*["<](?:\.\.?\/)*(.*?)[">]/gm) ?? [];
  return [...lines].map(([, name = ""]) => name);
}

function changesOf(difference: Difference, paths: readonly string[]): FileChange[] {
  return paths.map((path) => difference.change(path)).filter((change) => change !== undefined);
}

/** A header that reaches too many units is refused by the build without regard to what they compile to; it need not. */
async function refusedForItsReach(work: Work, pair: Pair, patch: EvalPatch): Promise<BuiltPatch | undefined> {
  const { observations } = await affectedUnits(work, pair.older, patch.files);
  const blocking: Observation[] = observations.filter(blocks);
  return blocking.length > 0 ? refusedUnbuilt(patch, blocking) : undefined;
}

/** Which files a file was found to need, from earlier runs. */
interface Notes {
  read(path: string): Promise<string[] | undefined>;
  write(path: string, group: readonly string[]): Promise<void>;
}

/** Void when the pair, the way of compiling or of finding changes. */
async function openNotes(work: Work, { older, newer }: Pair): Promise<Notes> {
  const state = createHash("sha256").update(basename(await buildCache(work, older)));
  state.update(`${older.origin} ${newer.source}`);
  for (const name of ["grow-group", "missing-files", "difference"])
    state.update(await readFile(fileURLToPath(new URL(`./${name}.js`, import.meta.url))));
  const folder = join(work.cache, "eval", "groups", state.digest("hex").slice(0, 16));
  return {
    read: async (path) => {
      const text = await readFile(join(folder, path), "utf8").catch(() => undefined);
      return text?.split("\n");
    },
    write: async (path, group) => {
      const place = join(folder, path);
      await mkdir(dirname(place), { recursive: true });
      await writeFile(`${place}.new`, group.join("\n"));
      await rename(`${place}.new`, place);
    },
  };
}
