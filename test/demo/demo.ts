// What `npm run demo [-- --arch arm64]` does once everything is installed: the commands a person would type, and what
// they print.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { exitStatus, Fault } from "@kernel-hotpatch/kernel/host/fault";
import { defaultCache, type Work } from "@kernel-hotpatch/kernel/host/work";
import { newestPair } from "@kernel-hotpatch/kernel/profile/debian";
import type { Arch } from "@kernel-hotpatch/kernel/profile/profile";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const HOTPATCH = "server/bin/hotpatch.js";
const EXAMPLE = "kernel/examples/meminfo-line/meminfo-line.patch";

/** What `--arch` may be, by Debian's names. */
const ARCHES: Readonly<Record<string, Arch>> = { amd64: "x86_64", arm64: "arm64" };

/** The difference between two kernels is one fix, small enough for a demo, up to this many files of C. */
const ONE_FIX = 3;

/** How a fix that comes without a test is tried: by what the part of the kernel that it is in must do. */
const SUBSYSTEM_TESTS: readonly { readonly folder: string; readonly test: string }[] = [
  { folder: "fs/ext4/", test: "kernel/examples/subsystems/ext4.test.sh" },
];

const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
const work: Work = { signal: stop.signal, cache: defaultCache(), progress: () => undefined };
const folder = await mkdtemp(join(tmpdir(), "hotpatch-demo-"));
try {
  await demo();
} catch (error) {
  if (!(error instanceof Fault)) throw error;
  process.stderr.write(`demo: ${error.message}\n${error.remedy && `  ${error.remedy}\n`}`);
  process.exitCode = exitStatus(error);
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function demo(): Promise<void> {
  const name = wantedArch();
  const arch = ARCHES[name];
  if (arch === undefined)
    throw new Fault("bad-input", `no demo for '${name}'`, { remedy: "--arch amd64 or --arch arm64" });
  say("1. A small patch, proven on the newest stock kernel");
  const pair = await newestPair(work, arch);
  const newest = pair?.newer.id ?? `debian/latest-${name}`;
  await hotpatch("kernel", "add", newest);
  await hotpatch("review", EXAMPLE, "--kernel", newest, "-o", join(folder, "example"));

  say("2. A real fix, delivered to the kernel before it without a reboot");
  if (pair === undefined)
    return say("The archive has only one version of this kernel now: nothing to compare.");
  const { older, newer } = pair;
  await hotpatch("kernel", "add", older.id);
  const patch = join(folder, "fix.patch");
  await writeFile(patch, await output("kernel", "diff", older.id, newer.id));
  const files = changedFiles(await readFile(patch, "utf8"));
  say(`Between ${older.sourceVersion} and ${newer.sourceVersion}, files changed: ${files.length}.`);
  if (files.length > ONE_FIX || !files.every((file) => file.endsWith(".c")))
    return say("That is more than one small fix: the examples in kernel/examples have to do.");
  const tests = SUBSYSTEM_TESTS.filter(({ folder: part }) => files.some((file) => file.startsWith(part)));
  const named = tests.flatMap(({ test }) => ["--test", test]);
  await hotpatch("review", patch, "--kernel", older.id, ...named, "-o", join(folder, "fix"));
}

function wantedArch(): string {
  try {
    return parseArgs({ options: { arch: { type: "string", default: "amd64" } } }).values.arch;
  } catch (cause) {
    throw new Fault("bad-input", (cause as Error).message, { cause, remedy: "--arch amd64 or --arch arm64" });
  }
}

/** Runs the tool as a person would, its words straight to the terminal. */
async function hotpatch(...args: string[]): Promise<void> {
  process.stdout.write(`\n$ hotpatch ${args.map((arg) => shown(arg)).join(" ")}\n`);
  const child = spawn(process.execPath, [HOTPATCH, ...args], { cwd: ROOT, stdio: "inherit" });
  const [status] = (await once(child, "close")) as [number | null];
  if (stop.signal.aborted) throw new Fault("interrupted", "interrupted");
  // Status 1 is a verdict; anything above means that there is none.
  if (status === null || status > 1) throw new Fault("lacking", `hotpatch ended with status ${status}`);
}

async function output(...args: string[]): Promise<Buffer> {
  process.stdout.write(`\n$ hotpatch ${args.join(" ")} > fix.patch\n`);
  const child = spawn(process.execPath, [HOTPATCH, ...args], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const pieces: Buffer[] = [];
  child.stdout.on("data", (piece: Buffer) => pieces.push(piece));
  const [status] = (await once(child, "close")) as [number | null];
  if (status !== 0) throw new Fault("lacking", `hotpatch ended with status ${status}`);
  return Buffer.concat(pieces);
}

function changedFiles(patch: string): string[] {
  return [...patch.matchAll(/^diff --git a\/\S+ b\/(\S+)$/gm)].map(([, file = ""]) => file);
}

function shown(arg: string): string {
  return arg.startsWith(folder) ? relative(folder, arg) : arg;
}

function say(line: string): void {
  process.stdout.write(`\n${line}\n`);
}
