// `npm run bench -- objdiff [--units FILE…]`: what comparing two objects costs, against kpatch's create-diff-object.
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { runOk } from "@kernel-hotpatch/kernel/host/run";
import { openObject } from "@kernel-hotpatch/kernel/objdiff/diff-objects";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { addProfile } from "@kernel-hotpatch/kernel/profile/store";
import { fetchCreateDiffObject } from "./create-diff-object.js";
import { type LargePair, largePairs } from "./large-pairs.js";
import { hotpatch, type Measure, median, run, tell, timed, work } from "./measure.js";

const DIFF = fileURLToPath(new URL("diff-once.js", import.meta.url));
const ROUNDS = 5;
const GROWING = [100, 500, 2000, 5000, 10_000, 20_000];
/** Sections whose entries' sizes create-diff-object is told in variables; kpatch-build finds them in DWARF. */
const ENTRY_SIZES = {
  ".altinstructions": "ALT_STRUCT_SIZE",
  __bug_table: "BUG_STRUCT_SIZE",
  __ex_table: "EX_STRUCT_SIZE",
  __jump_table: "JUMP_STRUCT_SIZE",
  ".parainstructions": "PARA_STRUCT_SIZE",
  ".static_call_sites": "STATIC_CALL_STRUCT_SIZE",
};

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: { units: { type: "string", multiple: true, default: [] } },
});
const folder = await mkdtemp(join(tmpdir(), "hotpatch-bench-"));
try {
  const profile = await addProfile(work, "debian/latest-amd64");
  const measures = [...(await largest(profile, values.units)), ...(await growing())];
  process.exitCode = tell(`kernel ${profile.id}, medians of ${ROUNDS} rounds, whole processes`, measures)
    ? 0
    : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** Each pair by `hotpatch objdiff`, which compares types as well, and without them, as a build does it. */
async function largest(profile: KernelProfile, units: readonly string[]): Promise<Measure[]> {
  const pairs = await largePairs(profile, units);
  const kpatch = await fetchCreateDiffObject();
  if ("lacking" in kpatch) work.progress(`create-diff-object cannot be had: ${kpatch.lacking}`);
  const measures: Measure[] = [];
  for (const pair of pairs) {
    const theirs = "path" in kpatch ? await createDiffObject(profile, kpatch.path, pair) : undefined;
    const rounds: { code: number; types: number; theirs: number; memory: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const whole = await hotpatch(["objdiff", pair.orig, pair.patched, "-o", join(folder, "diff.o")]);
      const code = await run([DIFF, pair.orig, pair.patched]);
      rounds.push({
        ...{ types: whole.seconds, memory: whole.memory, code: code.seconds },
        theirs: theirs ? await timed(theirs) : Number.NaN,
      });
    }
    const of = (field: keyof (typeof rounds)[number]) => median(rounds.map((round) => round[field]));
    const size = `${(pair.bytes / 1e6).toFixed(1)} MB`;
    if (theirs) {
      const than = `x create-diff-object (${of("theirs").toFixed(2)} s, ${size})`;
      measures.push(
        { what: `${pair.unit}: code`, value: of("code") / of("theirs"), limit: 0.5, of: than },
        { what: `${pair.unit}: hotpatch objdiff, with types`, value: of("types") / of("theirs"), of: than },
      );
    } else {
      const per = `s per MB (${size})`;
      measures.push(
        { what: `${pair.unit}: code`, value: (of("code") / pair.bytes) * 1e6, of: per },
        { what: `${pair.unit}: hotpatch objdiff`, value: (of("types") / pair.bytes) * 1e6, of: per },
      );
    }
    measures.push({ what: `${pair.unit}: peak memory`, value: of("memory"), limit: 300, of: "MiB" });
  }
  return measures;
}

/** @returns a function that runs it on a pair, with whatever kpatch-build would give it */
async function createDiffObject(
  profile: KernelProfile,
  program: string,
  { orig, patched }: LargePair,
): Promise<() => Promise<unknown>> {
  const symbols = join(folder, "symbols");
  // The unit's own symbols stand for the kernel's: fewer to search, in its favour.
  await writeFile(symbols, await runOk(work, ["readelf", "-sW", orig]));
  const { object, strides } = openObject(await readFile(orig), orig).atomic;
  const sizes = Object.entries(ENTRY_SIZES).flatMap(([name, variable]) => {
    // Where there is one entry, it is all there is.
    const size = strides.get(name) ?? object.sections.find((section) => section.name === name)?.data.length;
    return size === undefined ? [] : [[variable, String(size)] as const];
  });
  const env = { ...Object.fromEntries(sizes), ARCH: profile.arch };
  const output = join(folder, "theirs.o");
  const args = [orig, patched, "vmlinux", symbols, profile.moduleSymvers, "bench", output];
  return async () => execFileSync(program, args, { env, stdio: "pipe" });
}

/** Generated units: what twice as many functions cost, as a power of their number. */
async function growing(): Promise<Measure[]> {
  const points: { functions: number; seconds: number }[] = [];
  for (const functions of GROWING) {
    const [orig, patched] = [join(folder, "orig.o"), join(folder, "patched.o")];
    compileGenerated(functions, 1, orig);
    compileGenerated(functions, 2, patched);
    const seconds: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const { output, errors, status } = await run([DIFF, orig, patched, "types"]);
      if (status !== 0) throw new Fault("defect", `the object diff failed: ${errors}`);
      seconds.push(Number(output));
    }
    points.push({ functions, seconds: median(seconds) });
  }
  const told = points.map(({ functions, seconds }) => ({
    what: `generated unit of ${functions} functions`,
    value: seconds,
    of: "s in a fresh process, without Node's start",
  }));
  // Below, the start of everything outweighs the work.
  const large = points.filter(({ functions }) => functions >= 2000);
  return [
    ...told,
    { what: "slope: time grows with functions to the power of", value: slope(large), limit: 1.2, of: "" },
  ];
}

function compileGenerated(functions: number, step: number, object: string): void {
  const parts = Array.from(
    { length: functions },
    (_, number) =>
      `static int v${number} = ${number}; int f${number}(int a) { static int calls; calls++; ` +
      `return print("f${number} %d\\n", v${number} += a) + calls + ${number === functions >> 1 ? step : 0}; }`,
  );
  const flags = ["-O1", "-g", "-ffunction-sections", "-fdata-sections", "-fno-pic", "-mcmodel=kernel"];
  const trace = ["-pg", "-mfentry", "-mrecord-mcount", "-fno-asynchronous-unwind-tables"];
  execFileSync("gcc", [...flags, ...trace, "-c", "-x", "c", "-o", object, "-"], {
    input: `extern int print(const char *, ...);\n${parts.join("\n")}\n`,
  });
}

/** The least squares' line through the logarithms. */
function slope(points: readonly { functions: number; seconds: number }[]): number {
  const logs = points.map(({ functions, seconds }) => [Math.log(functions), Math.log(seconds)] as const);
  const mean = (values: readonly number[]) =>
    values.reduce((total, value) => total + value, 0) / values.length;
  const [middle, height] = [mean(logs.map(([x]) => x)), mean(logs.map(([, y]) => y))];
  const covariance = mean(logs.map(([x, y]) => (x - middle) * (y - height)));
  return covariance / mean(logs.map(([x]) => (x - middle) ** 2));
}
