/** What is known of a rule before any code is looked at. */
export interface Rule {
  /** Lower case and hyphens, never reused for another meaning. */
  readonly id: string;
  /** A witness may state another one for a single case it knows better. */
  readonly severity: Severity;
  /** The witnesses that can see it. */
  readonly witnesses: readonly [Witness, ...Witness[]];
  /** One line: what trips it. */
  readonly summary: string;
  /** Why it matters to a running kernel. */
  readonly why: string;
  /** What to do about it. */
  readonly remedy: string;
  /** Where the kernel says so: a path in the kernel tree and the section, or another public source. */
  readonly sources?: readonly string[];
}

/** How much a finding weighs, heaviest first. */
export const SEVERITIES = ["unsafe", "needs-review", "info"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** Who saw it, in the order in which they are asked. */
export const WITNESSES = ["source", "object", "sandbox"] as const;
export type Witness = (typeof WITNESSES)[number];
