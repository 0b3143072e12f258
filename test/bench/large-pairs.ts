import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { compilePatched } from "@kernel-hotpatch/kernel/build/compile";
import { type Original, originalsOf } from "@kernel-hotpatch/kernel/build/originals";
import { diffObjects, openObject } from "@kernel-hotpatch/kernel/objdiff/diff-objects";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { work } from "./measure.js";

/** Two objects of one unit, as files; in the second, one function returns another error. */
export interface LargePair {
  readonly unit: string;
  readonly orig: string;
  readonly patched: string;
  /** Of the original. */
  readonly bytes: number;
}

const FOLDERS = ["kernel", "mm", "fs", "net", "block", "security", "ipc", "io_uring"];
const CANDIDATES = 24;
const PAIRS = 10;
const CHANGE = { from: "return -EINVAL;", to: "return -ENXIO;" };
const TRIES = 6;

/**
 * The largest objects of a kernel's configuration: of the units with the longest source in the core folders, those
 * whose objects are largest. Compiling everything to know better would take hours. Kept in the cache.
 * @param named units to take in their place
 */
export async function largePairs(profile: KernelProfile, named: readonly string[]): Promise<LargePair[]> {
  const candidates = named.length > 0 ? named : await longestSources(profile);
  const originals = [...(await originalsOf(work, profile, candidates))];
  const largest = originals.sort(([, a], [, b]) => b.object.length - a.object.length).slice(0, PAIRS);
  const pairs: LargePair[] = [];
  for (const [unit, original] of largest) {
    const pair = await pairOf(profile, unit, original);
    if (pair) pairs.push(pair);
    else work.progress(`${unit} is left out: no single function of it can be changed`);
  }
  return pairs;
}

async function longestSources(profile: KernelProfile): Promise<string[]> {
  const sources: { path: string; size: number }[] = [];
  for (const folder of FOLDERS) {
    const root = join(profile.source, folder);
    for (const name of existsSync(root) ? await readdir(root, { recursive: true }) : [])
      if (name.endsWith(".c"))
        sources.push({ path: join(folder, name), size: (await stat(join(root, name))).size });
  }
  sources.sort((a, b) => b.size - a.size);
  return sources.slice(0, CANDIDATES).map(({ path }) => path);
}

async function pairOf(
  profile: KernelProfile,
  unit: string,
  original: Original,
): Promise<LargePair | undefined> {
  const key = createHash("sha256").update(original.object).digest("hex").slice(0, 16);
  const folder = join(work.cache, "bench", `${basename(unit, ".c")}-${key}`);
  const pair = {
    ...{ unit, bytes: original.object.length },
    ...{ orig: join(folder, "orig.o"), patched: join(folder, "patched.o") },
  };
  if (existsSync(folder)) return pair;
  const patched = await changeOneFunction(profile, unit, original);
  if (patched === undefined) return undefined;
  const aside = `${folder}.new`;
  await rm(aside, { recursive: true, force: true });
  await mkdir(aside, { recursive: true });
  await writeFile(join(aside, "orig.o"), original.object);
  await writeFile(join(aside, "patched.o"), patched);
  await rename(aside, folder);
  return pair;
}

/** Tries one place after the other, since what is inlined changes more than one function. */
async function changeOneFunction(
  profile: KernelProfile,
  unit: string,
  original: Original,
): Promise<Uint8Array | undefined> {
  const before = await readFile(join(profile.source, unit));
  const orig = openObject(original.object, unit);
  await mkdir(join(work.cache, "bench"), { recursive: true });
  let at = before.indexOf(CHANGE.from, before.length / 3);
  for (let tries = 0; tries < TRIES && at >= 0; tries++) {
    const end = at + CHANGE.from.length;
    const after = Buffer.concat([before.subarray(0, at), Buffer.from(CHANGE.to), before.subarray(end)]);
    const folder = await mkdtemp(join(work.cache, "bench", "compile-"));
    try {
      const change = { path: unit, before, after };
      const [compiled] = await compilePatched(work, profile, [change], new Map([[unit, original]]), folder);
      const object = compiled?.object;
      const report = object && diffObjects(orig, openObject(object, unit), { sameTypes: true }).report;
      if (object && report?.outcome === "carried" && report.changed.length === 1) return object;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    at = before.indexOf(CHANGE.from, end);
  }
  return undefined;
}
