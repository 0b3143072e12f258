import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Runs a program to its end. @throws Error with what it said when it fails */
export async function program(
  [command = "", ...args]: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<{ stdout: string; stderr: string }> {
  return await run(command, args, { maxBuffer: 64 * 1024 * 1024, ...options });
}
