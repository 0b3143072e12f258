import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { defaultCache, type Work } from "@kernel-hotpatch/kernel/host/work";

const HOTPATCH = fileURLToPath(new URL("../../../server/bin/hotpatch.js", import.meta.url));

/** What a bench works with: the person's own cache; steps are told on standard error. */
export const work: Work = {
  signal: new AbortController().signal,
  cache: defaultCache(),
  progress: (step) => process.stderr.write(`${step}\n`),
};

/** One line of the table. */
export interface Measure {
  readonly what: string;
  readonly value: number;
  /** Absent where the figure is only told. */
  readonly limit?: number;
  readonly of: string;
}

/** Prints the table. @returns whether every figure is within its limit */
export function tell(title: string, measures: readonly Measure[]): boolean {
  process.stdout.write(`${title}\n`);
  for (const { what, value, limit, of } of measures) {
    const verdict = limit === undefined ? "" : `${value <= limit ? "within" : "BEYOND"} ${limit} `;
    process.stdout.write(`${what.padEnd(56)} ${value.toFixed(2).padStart(7)} ${verdict}${of}\n`);
  }
  return measures.every(({ value, limit }) => limit === undefined || value <= limit);
}

/** Runs our command. @returns seconds, and MiB of its own process at its peak */
export async function hotpatch(args: readonly string[]): Promise<{ seconds: number; memory: number }> {
  // Printed last and by the process itself: what the system counts for children would include compilers.
  const report = "process.on('exit',()=>process.stderr.write('\\n'+process.resourceUsage().maxRSS))";
  const { seconds, errors, status } = await run([
    "--import",
    `data:text/javascript,${report}`,
    HOTPATCH,
    ...args,
  ]);
  if (status > 1) throw new Fault("defect", `hotpatch ${args[0]} ended with status ${status}: ${errors}`);
  return { seconds, memory: Number(errors.slice(errors.lastIndexOf("\n") + 1)) / 1024 };
}

/**
 * Seconds of processor time, in user mode and in the kernel, that the programs took which an action ran: unlike the
 * clock's, they say the same on a busy machine. In hundredths (proc_pid_stat(5), cutime and cstime).
 */
export async function processorTime(action: () => Promise<unknown>): Promise<number> {
  const before = await ticksOfChildren();
  await action();
  return ((await ticksOfChildren()) - before) / 100;
}

async function ticksOfChildren(): Promise<number> {
  const stat = await readFile("/proc/self/stat", "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[13]) + Number(fields[14]);
}

/** Runs node with arguments; certificates that nobody here needs would double its start. */
export async function run(args: readonly string[]) {
  const started = performance.now();
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let [output, errors] = ["", ""];
  child.stdout.on("data", (piece: Buffer) => (output += piece));
  child.stderr.on("data", (piece: Buffer) => (errors += piece));
  const [status] = (await once(child, "close")) as [number | null];
  return { seconds: (performance.now() - started) / 1000, output, errors, status: status ?? 255 };
}

/** Seconds that an action takes. */
export async function timed(action: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await action();
  return (performance.now() - started) / 1000;
}

/** The middle one. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
