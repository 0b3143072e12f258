import { spawn } from "node:child_process";
import { Fault } from "./fault.js";
import type { Work } from "./work.js";

export interface RunOptions {
  readonly cwd?: string;
  /** Added to the short list of variables that programs are given. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  /** Seconds until the program is killed; none when absent. */
  readonly deadline?: number;
  /** Bytes kept of each of the two outputs; the program is killed beyond it. */
  readonly outputLimit?: number;
  /** Called with each piece of standard output as it comes; the pieces are not kept then. */
  readonly onOutput?: (chunk: Buffer) => void;
  /** Called with each piece of standard error as it comes; the pieces are kept as well. */
  readonly onErrorOutput?: (chunk: Buffer) => void;
  /** Gives the program descriptor 3, a stream socket; called with each piece it writes there. */
  readonly onDescriptor3?: (chunk: Buffer) => void;
  /** The program's name in messages; the first of the arguments when absent. */
  readonly name?: string;
}

export interface RunResult {
  /** Exit status; 128 + signal number when a signal ended it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What it means when a program's status is not 0. */
export interface Expected {
  readonly failure?: { readonly code: Fault["code"]; readonly message: string; readonly remedy?: string };
}

/** The words of setpriv and prlimit, for want of another way to tell their failure from the program's. */
const NOT_THERE = /^(?:setpriv|prlimit): failed to execute (.+): No such file or directory/;
const OUTPUT_LIMIT = 64 * 1024 * 1024;
const PASSED_ON = [
  "PATH",
  "HOME",
  "TMPDIR",
  "USER",
  "XDG_CACHE_HOME",
  "http_proxy",
  "https_proxy",
  "no_proxy",
];

/** The environment of every program we start: nothing but this list reaches it. */
export function programEnvironment(added: Readonly<Record<string, string>> = {}): Record<string, string> {
  const environment: Record<string, string> = { LC_ALL: "C.UTF-8", TZ: "UTC" };
  for (const name of PASSED_ON) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return { ...environment, ...added };
}

/**
 * Runs a program to its end, in a process group of its own that dies with us, even when we are killed:
 * `setpriv --pdeathsig` (util-linux) has the kernel kill it when its parent goes.
 * @param argv program and arguments; never seen by a shell
 * @returns status and output; a status other than 0 is not an error here
 * @throws Fault `lacking` when the program does not exist, `interrupted` when the work was stopped,
 *   `bad-input` when the deadline or the output limit was passed
 */
export async function run(
  work: Pick<Work, "signal">,
  argv: readonly [string, ...string[]],
  options: RunOptions = {},
): Promise<RunResult> {
  if (work.signal.aborted) throw new Fault("interrupted", "interrupted");
  const program = options.name ?? argv[0];
  const limit = options.outputLimit ?? OUTPUT_LIMIT;
  return new Promise((resolve, reject) => {
    const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", ...argv], {
      cwd: options.cwd,
      env: programEnvironment(options.env),
      stdio: ["pipe", "pipe", "pipe", ...(options.onDescriptor3 ? ["pipe" as const] : [])],
      detached: true,
    });
    let ended: Fault | undefined;
    const end = (fault: Fault) => {
      ended ??= fault;
      if (child.pid !== undefined) killGroup(child.pid);
    };
    const onAbort = () => end(new Fault("interrupted", "interrupted"));
    work.signal.addEventListener("abort", onAbort, { once: true });
    const timer =
      options.deadline === undefined
        ? undefined
        : setTimeout(
            () => end(new Fault("bad-input", `${program} did not finish within ${options.deadline} s`)),
            options.deadline * 1000,
          );

    const keep = (kept: Buffer[]) => {
      let size = 0;
      return (chunk: Buffer) => {
        size += chunk.length;
        if (size > limit) end(new Fault("bad-input", `${program} printed more than ${limit} bytes`));
        else kept.push(chunk);
      };
    };
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout?.on("data", options.onOutput ?? keep(stdout));
    child.stderr?.on("data", keep(stderr));
    if (options.onErrorOutput) child.stderr?.on("data", options.onErrorOutput);
    if (options.onDescriptor3) child.stdio[3]?.on("data", options.onDescriptor3);
    // A program that ends without reading its input is judged by its status, not by the broken pipe.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(options.input ?? "");

    const finish = () => {
      clearTimeout(timer);
      work.signal.removeEventListener("abort", onAbort);
    };
    child.once("error", (cause: NodeJS.ErrnoException) => {
      finish();
      reject(
        cause.code === "ENOENT"
          ? new Fault("lacking", "setpriv (util-linux) is not installed", { cause })
          : new Fault("defect", `cannot start ${program}: ${cause.message}`, { cause }),
      );
    });
    child.once("close", (status, signal) => {
      finish();
      const result = {
        status: status ?? 128 + (signal === null ? 0 : signalNumber(signal)),
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      };
      if (ended) reject(ended);
      else {
        const lacking = result.status === 127 ? NOT_THERE.exec(result.stderr)?.[1] : undefined;
        if (lacking === undefined) resolve(result);
        else reject(new Fault("lacking", `${lacking} is not installed`, { remedy: "run 'hotpatch doctor'" }));
      }
    });
  });
}

/**
 * Like {@link run}, for programs whose failure ends the work.
 * @returns standard output
 * @throws Fault as `run` does, and `defect` (or `code`) with the program's last words when its status is not 0
 */
export async function runOk(
  work: Pick<Work, "signal">,
  argv: readonly [string, ...string[]],
  options: RunOptions & Expected = {},
): Promise<string> {
  return outputOf(argv[0], await run(work, argv, options), options);
}

/** What a program printed, when its status is 0. @throws Fault as {@link runOk} otherwise */
export function outputOf(program: string, result: RunResult, { failure }: Expected): string {
  if (result.status === 0) return result.stdout;
  const words = (result.stderr.trim() || result.stdout.trim()).split("\n");
  throw new Fault(
    failure?.code ?? "defect",
    `${failure?.message ?? `${program} failed`}: ${words.at(-1) || `exit status ${result.status}`}`,
    { detail: words.join("\n"), ...(failure?.remedy ? { remedy: failure.remedy } : {}) },
  );
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch (error) {
    // ESRCH: it was faster than us.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function signalNumber(signal: NodeJS.Signals): number {
  const numbers: Partial<Record<NodeJS.Signals, number>> = {
    SIGINT: 2,
    SIGABRT: 6,
    SIGKILL: 9,
    SIGSEGV: 11,
    SIGPIPE: 13,
    SIGTERM: 15,
  };
  return numbers[signal] ?? 0;
}
