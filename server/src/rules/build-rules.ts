import type { Rule } from "./rule.js";

/** Rules that the build notices before anything is compiled, and those without a check of their own. */
export const buildRules: readonly Rule[] = [
  {
    id: "does-not-apply",
    severity: "unsafe",
    witnesses: ["source"],
    summary: "a part of the patch does not fit this kernel's source",
    why: "The patch was made against another source; nothing of the file is judged.",
    remedy: "Make the patch against this kernel's source.",
  },
  {
    id: "suppression-without-reason",
    severity: "needs-review",
    witnesses: ["source"],
    summary: "a finding is to be suppressed and nobody says why",
    why: "A reviewer cannot judge a finding that was set aside without a reason; nothing was suppressed.",
    remedy: "Write the reason behind the rule: hotpatch-ignore: RULE reason.",
  },
  {
    id: "suppression-unused",
    severity: "info",
    witnesses: ["source"],
    summary: "a suppression sets no finding aside",
    why: "It may be left over, or misspelt while the finding that it means still counts.",
    remedy: "Remove it, or name the rule and place it at the finding.",
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
