import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The real program, as `npm` links it; compiled tests lie one folder deeper. */
const BINARY = fileURLToPath(
  new URL(`${import.meta.url.endsWith(".ts") ? ".." : "../.."}/server/bin/hotpatch.js`, import.meta.url),
);

export interface Ended {
  /** Exit status; null when a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Start {
  readonly cwd?: string;
  readonly input?: string;
  /** In place of our own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Program and arguments to start it with, such as `unshare --net`. */
  readonly through?: readonly string[];
}

/** Runs `hotpatch` to its end. */
export async function hotpatch(args: readonly string[], start: Start = {}): Promise<Ended> {
  return (await startHotpatch(args, start)).ended;
}

/**
 * Starts `hotpatch`.
 * @returns the process, what it ends with, and `saying`: resolves once standard error matches
 */
export async function startHotpatch(
  args: readonly string[],
  start: Start = {},
): Promise<{ child: ChildProcess; ended: Promise<Ended>; saying: (words: RegExp) => Promise<void> }> {
  const [program = "", ...rest] = [...(start.through ?? []), process.execPath, BINARY, ...args];
  const child = spawn(program, rest, {
    cwd: start.cwd,
    env: { ...process.env, NO_COLOR: "1", ...start.env },
  });
  const said = { stdout: "", stderr: "" };
  const listeners = new Set<() => void>();
  child.stdout.on("data", (chunk: Buffer) => {
    said.stdout += chunk;
  });
  child.stderr.on("data", (chunk: Buffer) => {
    said.stderr += chunk;
    for (const listener of listeners) listener();
  });
  child.stdin.on("error", () => undefined);
  child.stdin.end(start.input ?? "");
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, ...said }));
  });
  const saying = (words: RegExp) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (words.test(said.stderr)) resolve();
      };
      listeners.add(look);
      look();
      ended.then(() => reject(new Error(`it ended and never said ${words}:\n${said.stderr}`)), reject);
    });
  return { child, ended, saying };
}
