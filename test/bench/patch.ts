// What the tool costs, as ratios to what the same work costs without it, measured in one run.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compilePatched } from "@kernel-hotpatch/kernel/build/compile";
import { redirectCommand } from "@kernel-hotpatch/kernel/build/compile-command";
import { type Original, originalsOf } from "@kernel-hotpatch/kernel/build/originals";
import { applyPatches } from "@kernel-hotpatch/kernel/build/patch-files";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { runOk } from "@kernel-hotpatch/kernel/host/run";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { addProfile } from "@kernel-hotpatch/kernel/profile/store";
import { bestAccelerator } from "@kernel-hotpatch/kernel/sandbox/accelerator";
import { bareBoot } from "@kernel-hotpatch/kernel/sandbox/bare-boot";
import { hotpatch, type Measure, median, run, tell, timed, work } from "./measure.js";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const DIFF = fileURLToPath(new URL("diff-once.js", import.meta.url));
const UNIT = "fs/proc/meminfo.c";
const PATCH = join(ROOT, "kernel/examples/meminfo-line/meminfo-line.patch");
/** What is run, and whether the limit is for it: livepatch looks every use of an unexported symbol up by itself. */
const RUNS = [
  { name: "umask-syscall", what: "sandbox run of a system call", counts: true },
  { name: "meminfo-line", what: "the same with 49 uses of unexported symbols", counts: false },
];
const ROUNDS = 5;

const folder = await mkdtemp(join(tmpdir(), "hotpatch-bench-"));
try {
  const profile = await addProfile(work, "debian/latest-amd64");
  const measures = [...(await buildMeasures(profile)), ...(await sandboxMeasures(profile))];
  process.exitCode = tell(`kernel ${profile.id}, medians of ${ROUNDS} rounds`, measures) ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function buildMeasures(profile: KernelProfile): Promise<Measure[]> {
  const build = ["build", PATCH, "--kernel", profile.id, "-o", join(folder, "out")];
  await hotpatch(build);
  const original = (await originalsOf(work, profile, [UNIT])).get(UNIT);
  if (original === undefined) throw new Fault("defect", `${UNIT} is not built`);
  const pair = await writePair(profile, original);
  const rounds: { compiles: number; build: number; diff: number; types: number; memory: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    // The original and the patched unit, one after the other, as anybody would have to compile them.
    const compiles = (await compileOnce(profile, original)) + (await compileOnce(profile, original));
    const built = await hotpatch(build);
    rounds.push({
      compiles,
      build: built.seconds,
      memory: built.memory,
      diff: await diffOnce(pair),
      types: await diffOnce([...pair, "types"]),
    });
  }
  const compiles = median(rounds.map((round) => round.compiles));
  return [
    {
      what: "warm build of a one-function patch",
      value: median(rounds.map((round) => round.build)) / compiles,
      limit: 1.5,
      of: `x the two bare compiles (${compiles.toFixed(2)} s)`,
    },
    {
      what: "its object diff, in a fresh process",
      value: median(rounds.map((round) => round.diff)) / compiles,
      limit: 0.1,
      of: "x the two bare compiles",
    },
    {
      what: "the same where a type may have changed",
      value: median(rounds.map((round) => round.types)) / compiles,
      of: "x the two bare compiles",
    },
    {
      what: "peak memory of the build's own process",
      value: median(rounds.map((round) => round.memory)),
      limit: 500,
      of: "MiB",
    },
  ];
}

async function sandboxMeasures(profile: KernelProfile): Promise<Measure[]> {
  const accelerator = await bestAccelerator(work, profile);
  const measures: Measure[] = [];
  for (const { name, what, counts } of RUNS) {
    const example = join(ROOT, "kernel/examples", name, name);
    const output = join(folder, name);
    await hotpatch(["build", `${example}.patch`, "--kernel", profile.id, "-o", output]);
    const test = ["test", join(output, "patch.ko"), "--test", `${example}.test.sh`, "--kernel", profile.id];
    const rounds: { boot: number; test: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const boot = await timed(() => bareBoot(work, profile, accelerator));
      rounds.push({ boot, test: (await hotpatch(test)).seconds });
    }
    const boot = median(rounds.map((round) => round.boot));
    measures.push({
      what: `${what}, ${accelerator}`,
      value: median(rounds.map((round) => round.test)) / boot,
      ...(counts && { limit: 1.6 }),
      of: `x a bare boot and power-off (${boot.toFixed(2)} s)`,
    });
  }
  return measures;
}

async function compileOnce(profile: KernelProfile, { compile }: Original): Promise<number> {
  const object = join(folder, "bare.o");
  const source = profile.source;
  const argv = redirectCommand(compile, { from: source, source, object, dependencies: `${object}.d` });
  return timed(() => runOk(work, argv, { cwd: profile.build }));
}

/** The unit's two objects as files. */
async function writePair(profile: KernelProfile, original: Original): Promise<readonly [string, string]> {
  const place = await mkdtemp(join(folder, "pair-"));
  const patch = { name: PATCH, text: await readFile(PATCH) };
  const changes = await applyPatches(work, profile.source, [patch], await mkdtemp(join(place, "copies-")));
  const units = await compilePatched(work, profile, changes, new Map([[UNIT, original]]), place);
  const patched = units[0]?.object;
  if (patched === undefined) throw new Fault("defect", `${UNIT} does not compile with the patch`);
  const paths = [join(place, "orig.o"), join(place, "patched.o")] as const;
  await Promise.all([writeFile(paths[0], original.object), writeFile(paths[1], patched)]);
  return paths;
}

/** Seconds that the object diff takes in a process that does nothing else. */
async function diffOnce(pair: readonly string[]): Promise<number> {
  const { output, errors, status } = await run([DIFF, ...pair]);
  if (status !== 0) throw new Fault("defect", `the object diff failed: ${errors}`);
  return Number(output);
}
