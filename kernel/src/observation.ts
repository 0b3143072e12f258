/** What a witness in this room saw, in terms of the rule catalogue; the server makes findings of it. */
export interface Observation {
  /** Rule id, such as `static-data-changed`. */
  readonly rule: string;
  /** One sentence about this very code: names the symbol, the section, the reason. */
  readonly message: string;
  readonly symbol?: string;
  readonly section?: string;
  /** Relative to the root of the kernel tree. */
  readonly file?: string;
  /** Counts from 1. */
  readonly line?: number;
  readonly column?: number;
  /** Overrides the rule's own severity where the witness knows better. */
  readonly severity?: "unsafe" | "needs-review" | "info";
  /** Evidence of several lines: a compiler's message, a stack, an excerpt of the kernel log. */
  readonly detail?: string;
}
