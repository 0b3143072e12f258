// `npm run fuzz -- elf`: damaged objects through the ELF reader, the object diff and the DWARF reader. See USAGE.
import { randomInt } from "node:crypto";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { COMPILERS } from "./small-objects.js";

const USAGE = `npm run fuzz -- elf [options]
  --cases N  how many damaged objects (1000000): first all damage that can be listed, then random damage
  --seed N   for the random damage (one that is new each time)

Each is read and written, and every seventh compared with the object before the change, types and all.
Objects are compiled on the spot by ${COMPILERS.map(([compiler]) => compiler).join(", ")}.
A failure is told with what was done to the object; the same seed and number of cases repeat it.
Exit status 1: something crashed, hung, took more than a second or 1 GB, or was refused in more than one line.
`;
/** What no case may take. */
const LIMIT = { hang: 60, seconds: 1, megabytes: 1000 };
const WORKER = fileURLToPath(new URL("elf-worker.js", import.meta.url));

/** What the worker says of its cases so far. */
export interface Progress {
  readonly cases: number;
  readonly read: number;
  /** What was done to the object that is being read. */
  readonly slowest: { readonly milliseconds: number; readonly what: string };
  readonly failures: readonly { readonly what: string; readonly error: string; readonly times: number }[];
  readonly done: boolean;
}

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    cases: { type: "string", default: "1000000" },
    seed: { type: "string", default: String(randomInt(2 ** 31)) },
    help: { type: "boolean", default: false },
  },
});
if (values.help) process.stdout.write(USAGE);
else process.exitCode = (await fuzz(wholeNumber(values.cases), wholeNumber(values.seed))) ? 0 : 1;

/** @returns whether every case was read or refused as it should be */
async function fuzz(cases: number, seed: number): Promise<boolean> {
  process.stdout.write(`seed ${seed}\n`);
  const started = performance.now();
  const resourceLimits = { maxOldGenerationSizeMb: LIMIT.megabytes };
  const progress = await watch(new Worker(WORKER, { workerData: { cases, seed }, resourceLimits }));
  const seconds = (performance.now() - started) / 1000;
  const megabytes = process.resourceUsage().maxRSS / 1024;
  for (const { what, error, times } of progress.failures)
    process.stdout.write(`FAILED ${times} times, such as: ${what}\n  ${error}\n`);
  const { milliseconds, what } = progress.slowest;
  process.stdout.write(
    `${progress.cases} cases, ${progress.read} read in spite of the damage, the others refused in one line, ` +
      `${progress.failures.length} kinds of failure\n` +
      `${seconds.toFixed(0)} s, peak ${megabytes.toFixed(0)} MB; slowest ${milliseconds.toFixed(0)} ms of processor time: ${what}\n`,
  );
  return (
    progress.done &&
    progress.failures.length === 0 &&
    megabytes < LIMIT.megabytes &&
    milliseconds < LIMIT.seconds * 1000
  );
}

/** Waits for the worker's end, or until nothing has been heard of it for so long that it must hang. */
function watch(worker: Worker): Promise<Progress> {
  return new Promise((resolve, reject) => {
    let last: Progress | undefined;
    const hung = () => {
      void worker.terminate();
      const where = last ? `after ${last.cases} cases` : "before the first case was done";
      reject(new Error(`nothing is heard for ${LIMIT.hang} s, ${where}`));
    };
    let alarm = setTimeout(hung, LIMIT.hang * 1000);
    worker.on("message", (progress: Progress) => {
      last = progress;
      clearTimeout(alarm);
      if (progress.done) resolve(progress);
      else alarm = setTimeout(hung, LIMIT.hang * 1000);
      if (process.stderr.isTTY) process.stderr.write(`\r${progress.cases} cases `);
    });
    worker.on("error", reject);
  });
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new Error(`'${text}' is no whole number`);
  return Number(text);
}
