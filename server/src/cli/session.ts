import { defaultCache, type Work } from "@kernel-hotpatch/kernel/host/work";
import { type Colors, colors } from "../render/colors.js";
import { renderJson } from "../render/json.js";
import { printableLine } from "../render/printable.js";
import { createProgress } from "./progress.js";

/** The options that every command takes. */
export interface CommonOptions {
  readonly json?: true;
  readonly kernel?: string;
  readonly verbose?: true;
  /** False with `--no-confine`. */
  readonly confine: boolean;
}

/** What a command works with: the work itself and the person it speaks to. */
export interface Session {
  readonly work: Work;
  /** What `--kernel` named. */
  readonly kernel: string | undefined;
  /** For text on standard output. */
  readonly colors: Colors;
  /** Whether reports are wanted as JSON. */
  readonly json: boolean;
  /** To standard output, as it is: callers make foreign text printable. */
  print(text: string | Uint8Array): void;
  /** A report to standard output: as JSON with `--json`, else as `text` says it. */
  report(value: unknown, text: (colors: Colors) => string): void;
  /** One line to standard error, made printable, in front of any progress. */
  note(line: string): void;
  /** Takes away what only makes sense while the command runs. */
  end(): void;
}

/** @param signal aborted when the person wants to stop */
export function openSession(options: CommonOptions, signal: AbortSignal): Session {
  const progress = createProgress(process.stderr, options.verbose === true);
  const paint = colors(process.stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== "dumb");
  const json = options.json === true;
  const print: Session["print"] = (text) => {
    progress.clear();
    process.stdout.write(text);
  };
  return {
    work: { signal, cache: defaultCache(), progress: progress.report, unconfined: !options.confine },
    kernel: options.kernel,
    colors: paint,
    json,
    print,
    report: (value, text) => print(json ? renderJson(value) : text(paint)),
    note: (line) => {
      progress.clear();
      process.stderr.write(`hotpatch: ${printableLine(line)}\n`);
    },
    end: progress.clear,
  };
}
