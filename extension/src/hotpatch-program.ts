import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** How `hotpatch` is started: the one that is packed with us, else the one of the repository that we are in. */
export interface HotpatchProgram {
  readonly command: string;
  readonly script: string;
  readonly env: NodeJS.ProcessEnv;
}

/** @param extension folder of this extension */
export function hotpatchProgram(extension: string): HotpatchProgram {
  const packed = join(extension, "hotpatch/node_modules/@kernel-hotpatch/server/bin/hotpatch.js");
  const script = existsSync(packed) ? packed : join(extension, "../server/bin/hotpatch.js");
  // On a desktop we run in Electron, which is Node only when told so.
  return { command: process.execPath, script, env: { ...process.env, ELECTRON_RUN_AS_NODE: "1" } };
}

/** What a person may be told about a command that failed. */
export class HotpatchError extends Error {
  /** `bad-input`, `lacking`, `interrupted` or `defect`. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

const CODES: Readonly<Record<number, string>> = { 2: "bad-input", 3: "lacking", 130: "interrupted" };

interface Running {
  readonly signal?: AbortSignal;
  /** Told every step that the command reports. */
  readonly onStep?: (step: string) => void;
  /** Exit statuses that come with an answer; 0 by default. */
  readonly answers?: readonly number[];
}

/**
 * Runs a command of `hotpatch` and reads its JSON.
 * @throws HotpatchError in the command's own words
 */
export async function askHotpatch<Answer>(
  { command, script, env }: HotpatchProgram,
  args: readonly string[],
  { signal, onStep, answers = [0] }: Running = {},
): Promise<Answer> {
  const verbose = onStep ? ["--verbose"] : [];
  const child = spawn(command, [script, ...args, "--json", ...verbose], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const stop = () => child.kill("SIGINT");
  signal?.addEventListener("abort", stop);
  const said: string[] = [];
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  createInterface(child.stderr).on("line", (line) => {
    const [, step] = /^ *[\d.]+ s {2}(.*)$/.exec(line) ?? [];
    if (step !== undefined && onStep) onStep(step);
    else said.push(line);
  });
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", resolve);
    });
    if (signal?.aborted) throw new HotpatchError("interrupted", "interrupted");
    if (status === null || !answers.includes(status))
      throw new HotpatchError(CODES[status ?? 4] ?? "defect", said.join("\n").replace(/^hotpatch: /, ""));
    return JSON.parse(Buffer.concat(chunks).toString());
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}
