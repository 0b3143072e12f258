import type { Rule } from "./rule.js";

/** Rules that the build notices before anything is compiled, and those without a check of their own. */
export const buildRules: readonly Rule[] = [
  {
    id: "not-read",
    severity: "needs-review",
    witnesses: ["source"],
    summary: "no witness read what the change means in C",
    why: "Objects and a short run do not show a changed lock order, reference count, life time or function that sleeps for long.",
    remedy: "Have a person read the patch for these.",
  },
];
