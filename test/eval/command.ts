import { writeFile } from "node:fs/promises";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { defaultCache, type Work } from "@kernel-hotpatch/kernel/host/work";

/** Work on the user's own cache that Ctrl-C stops; its steps are told on a terminal. */
export function evalWork(): Work {
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  return {
    signal: stop.signal,
    cache: defaultCache(),
    progress: (step) => void (process.stderr.isTTY && process.stderr.write(`${step}\n`)),
  };
}

/** Runs an evaluation to its end, or prints its usage; what a person can do something about is told in one line. */
export async function runEvaluation(
  evaluate: () => Promise<string>,
  usage: string,
  { help, output }: { readonly help: boolean; readonly output?: string | undefined },
): Promise<void> {
  try {
    if (help) process.stdout.write(usage);
    else await tell(await evaluate(), output);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = error.code === "interrupted" ? 130 : 2;
  }
}

/** Prints a result, or writes it where `--output` says. */
export async function tell(text: string, output: string | undefined): Promise<void> {
  if (output === undefined) process.stdout.write(text);
  else await writeFile(output, text);
}

/** @throws Fault `bad-input` when an option's text is no natural number */
export function natural(option: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0)
    throw new Fault("bad-input", `--${option} takes a number, not '${text}'`);
  return number;
}
