import type { Work } from "@kernel-hotpatch/kernel/host/work";
import { printableLine } from "../render/printable.js";

export interface Progress {
  readonly report: Work["progress"];
  /** Takes the progress line away, so that something else can be written. */
  clear(): void;
}

type Stream = Pick<NodeJS.WriteStream, "write" | "isTTY" | "columns">;

/**
 * Where steps are reported: one line, rewritten, on a terminal; with `verbose` a line each; else nowhere.
 * @param now the clock, in milliseconds
 */
export function createProgress(stream: Stream, verbose: boolean, now = () => performance.now()): Progress {
  if (verbose) return lines(stream, now);
  if (stream.isTTY) return rewrittenLine(stream, now);
  return { report: () => undefined, clear: () => undefined };
}

function lines(stream: Stream, now: () => number): Progress {
  const start = now();
  let last = "";
  return {
    report: (step) => {
      if (step === last) return;
      last = step;
      stream.write(`${((now() - start) / 1000).toFixed(1).padStart(7)} s  ${printableLine(step)}\n`);
    },
    clear: () => undefined,
  };
}

function rewrittenLine(stream: Stream, now: () => number): Progress {
  let shown = "";
  let written = Number.NEGATIVE_INFINITY;
  return {
    report: (step, fraction) => {
      // Downloads report often; nobody reads faster than this.
      if (step === shown && now() - written < 100) return;
      shown = step;
      written = now();
      const share = fraction === undefined ? "" : `${Math.floor(fraction * 100)} % `;
      const line = Array.from(`${share}${printableLine(step)}`).slice(0, (stream.columns || 80) - 1);
      stream.write(`\r\x1b[K${line.join("")}`);
    },
    clear: () => {
      if (shown !== "") stream.write("\r\x1b[K");
      shown = "";
    },
  };
}
