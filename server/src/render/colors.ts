import picocolors from "picocolors";
import type { Verdict } from "../review/verdict.js";
import type { Severity } from "../rules/rule.js";

export type Paint = (text: string) => string;

/** The few colours that reports use. */
export interface Colors {
  readonly bold: Paint;
  readonly dim: Paint;
  readonly severity: Readonly<Record<Severity, Paint>>;
  readonly verdict: Readonly<Record<Verdict, Paint>>;
}

/** Colours for a terminal, or, when `enabled` is false, functions that leave text as it is. */
export function colors(enabled: boolean): Colors {
  const { bold, dim, red, yellow, cyan, green } = picocolors.createColors(enabled);
  return {
    bold,
    dim,
    severity: { unsafe: red, "needs-review": yellow, info: cyan },
    verdict: { unsafe: red, "needs-review": yellow, safe: green },
  };
}
