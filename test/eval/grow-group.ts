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

const MOST_ROUNDS = 12;
const MOST_FILES = 24;

/** @throws Fault `interrupted` */
export async function openGrower(work: Work, pair: Pair, builder: Builder): Promise<GroupGrower> {
  const difference = await readDifference(work, pair);
  const notes = await openNotes(work, pair);
  const refusedForItsReach = openReach(work, pair);
  const buildAll = async (patch: EvalPatch): Promise<Step> => {
    const built = await builder.build(patch);
    return { built, complaints: built.reasons, isRead: () => true };
  };
  return {
    async grow(id, path) {
      const known = await notes.read(path);
      let group: readonly string[] = known ?? [path];
      let compiles = known !== undefined;
      for (let round = 0; round < MOST_ROUNDS; round++) {
        const patch = { id, files: changesOf(difference, group) };
        // Then it does not matter what else it needs.
        const refused = await refusedForItsReach(patch);
        if (refused || compiles) await notes.write(path, group);
        if (refused) return { patch, built: refused };
        const step = compiles ? await buildAll(patch) : await compileOwn(work, pair, patch.files);
        const more = missingFiles(difference, new Set(group), step.complaints, step.isRead);
        if (more.length === 0 && step.built && step.built.outcome !== "does-not-compile")
          return { patch, built: step.built };
        if (more.length === 0 && step.complaints[0])
          return { path, reason: `${group.join(" ")}: ${step.complaints[0].message}` };
        group = [...group, ...more].sort();
        if (group.length > MOST_FILES) return { path, reason: `it needs more than ${MOST_FILES} files` };
        compiles = more.length === 0;
      }
      return { path, reason: `no end after ${MOST_ROUNDS} rounds: ${group.join(" ")}` };
    },
  };
}

/** What one try says of a group. */
interface Step {
  readonly complaints: readonly Complaint[];
  /** Whether its units read a file, or would if it were there. */
  readonly isRead: (path: string) => boolean;
  readonly built?: BuiltPatch;
}

/** Only the group's own files, which are soon compiled; what else its headers reach, the build sees. */
async function compileOwn(work: Work, { older }: Pair, changes: readonly FileChange[]): Promise<Step> {
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
    return { complaints: compiled.flatMap(({ observations }) => observations), isRead };
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

/** The build refuses a header that reaches too many units, whatever they compile to; so it need not be run. */
function openReach(work: Work, pair: Pair): (patch: EvalPatch) => Promise<BuiltPatch | undefined> {
  const known = new Map<string, Promise<readonly Observation[]>>();
  const blocking = async (header: FileChange) =>
    (await affectedUnits(work, pair.older, [header])).observations.filter(blocks);
  return async (patch) => {
    for (const header of patch.files.filter(({ path }) => path.endsWith(".h"))) {
      const found = known.get(header.path) ?? blocking(header);
      known.set(header.path, found);
      const observations = await found;
      if (observations.length > 0) return refusedUnbuilt(patch, observations);
    }
    return undefined;
  };
}

/** Which files a file was found to need, from earlier runs. */
interface Notes {
  read(path: string): Promise<string[] | undefined>;
  write(path: string, group: readonly string[]): Promise<void>;
}

/** Void when the pair or the way of finding changes; the build proves them anyway. */
async function openNotes(work: Work, { older, newer }: Pair): Promise<Notes> {
  const state = createHash("sha256").update(basename(await buildCache(work, older)));
  state.update(`${older.origin} ${newer.source}`);
  for (const name of ["missing-files", "difference"])
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
