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
import { hotpatch, type Measure, median, processorTime, run, tell, work } from "./measure.js";

const DIFF = fileURLToPath(new URL("diff-once.js", import.meta.url));
const ROUNDS = 3;
const GROWING = [500, 1000, 2000, 4000, 8000];
const WHAT = `Processor time of whole processes, medians of ${ROUNDS} rounds that take turns: what "code" compares is what a
build compares whose patch stays within functions; "hotpatch objdiff" reads all types besides, and says why functions
changed. create-diff-object compares code and data, and carries the debug sections along without reading types.
`;
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
  process.stdout.write(WHAT);
  // Each is told as soon as it is known.
  let within = true;
  for await (const measures of [largest(profile, values.units), growing()])
    for await (const [title, ...measure] of measures) within = tell(title, measure) && within;
  process.exitCode = within ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

type Told = [title: string, ...Measure[]];

/** Each pair by `hotpatch objdiff`, which compares types as well, and without them, as a build does it. */
async function* largest(profile: KernelProfile, units: readonly string[]): AsyncIterable<Told> {
  const pairs = await largePairs(profile, units);
  const kpatch = await fetchCreateDiffObject();
  if ("lacking" in kpatch) work.progress(`create-diff-object cannot be had: ${kpatch.lacking}`);
  for (const pair of pairs) {
    const theirs = "path" in kpatch ? await createDiffObject(profile, kpatch.path, pair) : undefined;
    const rounds: { code: number; types: number; theirs: number; memory: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      let memory = 0;
      rounds.push({
        theirs: theirs ? await processorTime(theirs) : pair.bytes / 1e6,
        code: await processorTime(() => diffOnce(pair.orig, pair.patched)),
        types: await processorTime(async () => {
          ({ memory } = await hotpatch(["objdiff", pair.orig, pair.patched, "-o", join(folder, "diff.o")]));
        }),
        memory,
      });
    }
    const of = (field: keyof (typeof rounds)[number]) => median(rounds.map((round) => round[field]));
    const than = theirs ? `x create-diff-object's ${of("theirs").toFixed(2)} s` : "s per MB";
    yield [
      `${pair.unit}, ${(pair.bytes / 1e6).toFixed(1)} MB, kernel ${profile.id}`,
      { what: "  code", value: of("code") / of("theirs"), ...(theirs && { limit: 0.5 }), of: than },
      { what: "  hotpatch objdiff", value: of("types") / of("theirs"), of: than },
      { what: "  peak memory of hotpatch objdiff", value: of("memory"), limit: 300, of: "MiB" },
    ];
  }
}

/** @returns seconds of processor time without Node's start */
async function diffOnce(orig: string, patched: string, ...types: readonly string[]): Promise<number> {
  const { output, errors, status } = await run([DIFF, orig, patched, ...types]);
  if (status !== 0) throw new Fault("defect", `the object diff failed: ${errors}`);
  return Number(output.split(" ")[0]);
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
async function* growing(): AsyncIterable<Told> {
  const points: { functions: number; seconds: number }[] = [];
  for (const functions of GROWING) {
    const [orig, patched] = [join(folder, "orig.o"), join(folder, "patched.o")];
    compileGenerated(functions, 1, orig);
    compileGenerated(functions, 2, patched);
    const seconds: number[] = [];
    for (let round = 0; round < ROUNDS; round++) seconds.push(await diffOnce(orig, patched, "types"));
    points.push({ functions, seconds: median(seconds) });
  }
  yield [
    "Generated units, with types; seconds of processor time without Node's start",
    ...points.map(({ functions, seconds }) => ({
      what: `  ${functions} functions`,
      value: seconds,
      of: `s, ${((seconds / functions) * 1e6).toFixed(0)} us each`,
    })),
    { what: "  time grows with functions to the power of", value: slope(points), limit: 1.2, of: "" },
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
