import { runOk } from "./run.js";
import type { Work } from "./work.js";

/**
 * Sends bytes through a program.
 * @returns what it printed
 * @throws Fault as `runOk` does
 */
export async function filter(
  work: Pick<Work, "signal">,
  argv: readonly [string, ...string[]],
  input: Uint8Array,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await runOk(work, argv, { input, onOutput: (chunk) => chunks.push(chunk) });
  return Buffer.concat(chunks);
}
