import { homedir } from "node:os";
import { join } from "node:path";
import { Fault } from "./fault.js";

/** What every longer operation is given: how to be stopped, where to report, where to keep things. */
export interface Work {
  /** Aborted on Ctrl-C or a cancelled request. */
  readonly signal: AbortSignal;
  /** Absolute path of our cache folder, outside every user's tree. */
  readonly cache: string;
  /** What a patch starts runs with all that we may do ourselves; see `confined.ts`. */
  readonly unconfined?: boolean;
  /** Says what is going on; `fraction` (0 to 1) where the end is known. */
  progress(step: string, fraction?: number): void;
}

/** `$XDG_CACHE_HOME/kernel-hotpatch`, by the XDG base directory specification. */
export function defaultCache(environment: NodeJS.ProcessEnv = process.env): string {
  const base = environment.XDG_CACHE_HOME;
  return join(base?.startsWith("/") ? base : join(homedir(), ".cache"), "kernel-hotpatch");
}

/** @throws Fault `interrupted` once the work was told to stop. */
export function checkpoint(work: Pick<Work, "signal">): void {
  if (work.signal.aborted) throw new Fault("interrupted", "interrupted");
}
