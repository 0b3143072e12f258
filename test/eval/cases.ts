import { createHash, randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { compilePatched } from "@kernel-hotpatch/kernel/build/compile";
import { buildCache, type Original, originalsOf } from "@kernel-hotpatch/kernel/build/originals";
import type { FileChange } from "@kernel-hotpatch/kernel/build/patch-files";
import { affectedUnits } from "@kernel-hotpatch/kernel/build/units";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { checkpoint, type Work } from "@kernel-hotpatch/kernel/host/work";
import { takePrints } from "@kernel-hotpatch/kernel/profile/file-prints";
import type { Pair } from "./pair.js";
import { shuffled } from "./random.js";

/** One file of the newer source put into the older tree: a patch of its own. */
export interface Case {
  readonly path: string;
  readonly before: Buffer;
  readonly after: Buffer;
  readonly outcome: Outcome;
  /** When it was compiled. */
  readonly objects?: { readonly orig: Uint8Array; readonly patched: Uint8Array };
}

/** What became of a changed file. `included`: part of other units, so neither compiled alone nor left out. */
export type Outcome = "compiled" | "not-built" | "does-not-compile" | "included";

const CORE = ["kernel", "mm", "fs", "net/ipv4", "net/core", "ipc", "block", "security", "lib", "init"];
const WIDER = ["net", "drivers"];
/** Units that one `make` compiles: what an interruption loses at most. */
const AT_ONCE = 16;
const COMPILERS = 2;

/**
 * Tries every changed core file alone in the older tree, then files of net/ and drivers/ in a random order while fewer
 * than `least` compile. What was compiled is kept in the cache, by content.
 * @throws Fault as the build functions
 */
export async function* tryChangedFiles(
  work: Work,
  pair: Pair,
  least: number,
  seed: number,
): AsyncGenerator<Case> {
  let compiled = 0;
  const tryBatch = async (paths: readonly string[]) => {
    work.progress(`${compiled} cases so far, trying ${paths[0]} and ${paths.length - 1} more`);
    const found = await tryFiles(work, pair, paths);
    compiled += found.filter(({ outcome }) => outcome === "compiled").length;
    return found;
  };
  const core = await changedFiles(work, pair, CORE);
  for (const paths of batches(core)) yield* await tryBatch(paths);
  if (compiled >= least) return;
  const wider = (await changedFiles(work, pair, WIDER)).filter((path) => !core.includes(path));
  for (const paths of batches(shuffled(wider, seed))) {
    yield* await tryBatch(paths);
    if (compiled >= least) return;
  }
}

/** Where what is built into the stock kernel and its modules comes from. */
const ALL = [
  ...["kernel", "mm", "fs", "net", "block", "security", "ipc", "lib", "io_uring", "init"],
  ...["crypto", "drivers", "sound"],
];

/**
 * Tries changed files of the kernel and its modules in a random order, each alone in the older tree; all of them, unless
 * whoever asks stops asking. The objects are left out.
 * @throws Fault as the build functions
 */
export async function* sampleChangedFiles(work: Work, pair: Pair, seed: number): AsyncGenerator<Case> {
  const store = await openStore(work, pair);
  for (const paths of batches(shuffled(await changedFiles(work, pair, ALL), seed))) {
    const files = await Promise.all(paths.map((path) => readSides(pair, path)));
    const known = new Map<string, Outcome>();
    for (const file of files) {
      const outcome = await store.outcome(file);
      if (outcome) known.set(file.path, outcome);
    }
    const left = paths.filter((path) => !known.has(path));
    if (left.length > 0) work.progress(`trying ${left[0]} and ${left.length - 1} more`);
    for (const { path, outcome } of await tryFiles(work, pair, left)) known.set(path, outcome);
    for (const file of files) {
      const outcome = known.get(file.path);
      if (outcome) yield { ...file, outcome };
    }
  }
}

/** Those C files of some folders that both sources have, and not the same. */
async function changedFiles(
  work: Work,
  { older, newer }: Pair,
  folders: readonly string[],
): Promise<string[]> {
  const changed: string[] = [];
  for (const folder of folders) {
    const before = await takePrints(work, older.source, folder);
    const after = await takePrints(work, newer.source, folder);
    for (const [path, print] of before)
      if (path.endsWith(".c") && after.has(path) && after.get(path) !== print) changed.push(path);
  }
  return changed.sort();
}

async function readSides({ older, newer }: Pair, path: string): Promise<Required<FileChange>> {
  const [before, after] = await Promise.all([
    readFile(join(older.source, path)),
    readFile(join(newer.source, path)),
  ]);
  return { path, before, after };
}

async function tryFiles(work: Work, pair: Pair, paths: readonly string[]): Promise<Case[]> {
  if (paths.length === 0) return [];
  const files = await Promise.all(paths.map((path) => readSides(pair, path)));
  const store = await openStore(work, pair);
  // make compiles any file of a folder that it is told to; what belongs to the kernel, the makefiles say.
  const { units } = await affectedUnits(work, pair.older, files);
  const built = paths.filter((path) => units.includes(path));
  const originals = await originalsOrNone(work, pair, built);

  const tried = new Map<string, Case>();
  const queue = [...files];
  const worker = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      checkpoint(work);
      if (built.includes(file.path))
        tried.set(file.path, await compileFile(work, pair, store, file, originals.get(file.path)));
      else {
        const outcome = await roleOfUnbuilt(work, pair, file);
        await store.keep(file, outcome);
        tried.set(file.path, { ...file, outcome });
      }
    }
  };
  await Promise.all(Array.from({ length: COMPILERS }, worker));
  return paths.map((path) => tried.get(path)).filter((result) => result !== undefined);
}

async function roleOfUnbuilt(work: Work, pair: Pair, file: FileChange): Promise<"included" | "not-built"> {
  const { units } = await affectedUnits(work, pair.older, [file]);
  return units.length > 0 ? "included" : "not-built";
}

async function compileFile(
  work: Work,
  pair: Pair,
  store: Store,
  file: Required<FileChange>,
  original: Original | undefined,
): Promise<Case> {
  if (original === undefined) return { ...file, outcome: "does-not-compile" };
  const known = await store.outcome(file);
  if (known === "does-not-compile") return { ...file, outcome: known };
  const kept = known && (await store.object(file));
  const patched = kept ?? (await compileAlone(work, pair, file, original));
  const outcome = patched ? "compiled" : "does-not-compile";
  if (!kept) await store.keep(file, outcome, patched);
  if (patched === undefined) return { ...file, outcome };
  return { ...file, outcome, objects: { orig: original.object, patched } };
}

/** A unit that make fails on takes only itself along, not the others of the batch. */
async function originalsOrNone(
  work: Work,
  pair: Pair,
  units: readonly string[],
): Promise<Map<string, Original>> {
  try {
    return await originalsOf(work, pair.older, units);
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== "defect") throw error;
    if (units.length === 1) {
      process.stderr.write(`${error.message}\n`);
      return new Map();
    }
  }
  const middle = units.length >> 1;
  return new Map([
    ...(await originalsOrNone(work, pair, units.slice(0, middle))),
    ...(await originalsOrNone(work, pair, units.slice(middle))),
  ]);
}

async function compileAlone(
  work: Work,
  { older }: Pair,
  file: FileChange,
  original: Original,
): Promise<Uint8Array | undefined> {
  const folder = await mkdtemp(join(tmpdir(), "hotpatch-eval-"));
  try {
    const units = await compilePatched(work, older, [file], new Map([[file.path, original]]), folder);
    return units[0]?.object;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What came of compiling files, and PATCHED.o, in the cache. */
interface Store {
  outcome(file: Required<FileChange>): Promise<Outcome | undefined>;
  object(file: Required<FileChange>): Promise<Uint8Array | undefined>;
  /** The outcome is written last: without it, the object does not count. */
  keep(file: Required<FileChange>, outcome: Outcome, object?: Uint8Array): Promise<void>;
}

async function openStore(work: Work, { older }: Pair): Promise<Store> {
  const folder = join(work.cache, "eval", "patched");
  await mkdir(folder, { recursive: true });
  // The name tells kernel, configuration, toolchain and place.
  const build = basename(await buildCache(work, older));
  const place = ({ path, before, after }: Required<FileChange>) => {
    const hash = createHash("sha256").update(`${build}\n${path}\n${before.length}\n`);
    return join(folder, hash.update(before).update(after).digest("hex"));
  };
  const read = (path: string) => readFile(path).catch(() => undefined);
  const write = async (path: string, content: Uint8Array | string) => {
    const aside = `${path}.${randomUUID()}`;
    await writeFile(aside, content);
    await rename(aside, path);
  };
  return {
    outcome: async (file) => (await read(`${place(file)}.outcome`))?.toString() as Outcome | undefined,
    object: (file) => read(`${place(file)}.o`),
    keep: async (file, outcome, object) => {
      if (object) await write(`${place(file)}.o`, object);
      await write(`${place(file)}.outcome`, outcome);
    },
  };
}

function batches<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / AT_ONCE) }, (_, index) =>
    items.slice(index * AT_ONCE, (index + 1) * AT_ONCE),
  );
}
