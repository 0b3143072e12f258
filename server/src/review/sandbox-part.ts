import type { SandboxRun } from "@kernel-hotpatch/kernel/sandbox/sandbox-run";
import type { Finding } from "./finding.js";
import { findingOf } from "./finding-of.js";
import type { Review } from "./review.js";

/** What a run shows in a report; its observations are findings of their own. */
export function sandboxPart({ observations: _, ...run }: SandboxRun): NonNullable<Review["sandbox"]> {
  return run;
}

/**
 * The findings of a run, what it could not look at included.
 * @param tests how many tests it was given
 */
export function sandboxFindings(run: SandboxRun, tests: number): Finding[] {
  const seen = run.observations.map((observation) => findingOf(observation, "sandbox"));
  if (tests > 0) return seen;
  return [
    ...seen,
    findingOf(
      { rule: "not-tested", message: "no test came with the patch: only loading and unloading were tried" },
      "sandbox",
    ),
  ];
}
