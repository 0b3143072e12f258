import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { printable, printableLine } from "../render/printable.js";

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
