import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { printable, printableLine } from "../render/printable.js";

/** System errors that the machine, not we, must answer for. */
const MACHINE_LACKS: Readonly<Record<string, { message: string; remedy: string }>> = {
  ENOSPC: {
    message: "no space left on the disk",
    remedy: "free some space, or point XDG_CACHE_HOME elsewhere",
  },
  EDQUOT: {
    message: "the disk quota is used up",
    remedy: "free some space, or point XDG_CACHE_HOME elsewhere",
  },
  EROFS: { message: "the file system is read-only", remedy: "point XDG_CACHE_HOME or -o elsewhere" },
  EACCES: { message: "permission denied", remedy: "check who owns it" },
  EMFILE: { message: "too many open files", remedy: "raise the limit with 'ulimit -n'" },
  ENOMEM: { message: "out of memory", remedy: "close other programs" },
};

/** Anything thrown, as a Fault when a person can act on it, else as it is. */
export function asFault(error: unknown): unknown {
  if (error instanceof Fault || !(error instanceof Error) || !("code" in error)) return error;
  const lack = typeof error.code === "string" ? MACHINE_LACKS[error.code] : undefined;
  if (!lack) return error;
  const where = "path" in error && typeof error.path === "string" ? `: ${error.path}` : "";
  return new Fault("lacking", `${lack.message}${where}`, { remedy: lack.remedy, cause: error });
}

/**
 * What to print on standard error for anything thrown.
 * @param verbose adds a Fault's evidence, and a defect's stack
 */
export function complaint(error: unknown, verbose: boolean): string {
  if (error instanceof Fault && error.code !== "defect") {
    const detail = verbose && error.detail ? [lastLines(error.detail)] : [];
    const remedy = error.remedy ? [`  ${printable(error.remedy)}`] : [];
    return `${[`hotpatch: ${printableLine(error.message)}`, ...remedy, ...detail].join("\n")}\n`;
  }
  const message = error instanceof Error ? error.message : String(error);
  const first = `hotpatch: defect: ${printableLine(message)}`;
  if (!verbose)
    return `${first}\n  this is our mistake; run again with --verbose and report what it prints\n`;
  const detail = error instanceof Fault ? error.detail : "";
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  return `${[first, lastLines(detail), printable(stack)].filter((part) => part !== "").join("\n")}\n`;
}

const LINES_OF_EVIDENCE = 40;

/** The end of a program's output, which is where it says what went wrong. */
function lastLines(text: string): string {
  const lines = printable(text.trimEnd()).split("\n");
  if (lines.length <= LINES_OF_EVIDENCE) return lines.join("\n");
  const left = lines.length - LINES_OF_EVIDENCE;
  return [`… ${left} lines before`, ...lines.slice(left)].join("\n");
}
