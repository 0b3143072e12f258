import type { Rule } from "./rule.js";

/** Rules about the patch's text that are noticed before anything is compiled. */
export const sourceRules: readonly Rule[] = [
  {
    id: "does-not-apply",
    severity: "unsafe",
    witnesses: ["source"],
    summary: "hunks of the patch do not fit the kernel's source",
    why: "The patch was made for another version of the source, or was damaged on its way.",
    remedy: "Make the patch against the exact source of the target kernel.",
  },
  {
    id: "not-read",
    severity: "needs-review",
    witnesses: ["source"],
    summary: "no witness read what the change means in C",
    why: "Objects and a short run do not show a changed lock order, reference count, life time or function that sleeps for long.",
    remedy: "Have a person read the patch for these.",
  },
];
