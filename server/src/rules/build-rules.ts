import type { Rule } from "./rule.js";

/** Rules that the build notices before anything is compiled, and those without a check of their own. */
export const buildRules: readonly Rule[] = [
  {
    id: "build-input-changed",
    severity: "unsafe",
    witnesses: ["source"],
    summary: "a build file, a tool or another input of the build changed",
    why: "It acts while a kernel is built; the running kernel was built without it.",
    remedy: "Reboot into a newly built kernel, or bring the effect about in C.",
  },
  {
    id: "user-mapped-code",
    severity: "unsafe",
    witnesses: ["source"],
    summary: "code that runs before the kernel or inside user processes changed",
    why: "Boot code has run and is gone; the vDSO is mapped into every process and has no ftrace entries.",
    remedy: "Reboot into a newly built kernel.",
  },
  {
    id: "uapi-changed",
    severity: "needs-review",
    witnesses: ["source"],
    summary: "a header of the interface to user space changed",
    why: "Programs keep the meaning that they were compiled with.",
    remedy: "Make sure that the old meaning stays valid.",
  },
  {
    id: "header-fan-out",
    severity: "needs-review",
    witnesses: ["source"],
    summary: "a changed header reaches more files than can be compiled for one hot patch",
    why: "Every file that includes it may carry the change; those that were not compiled are unknown.",
    remedy: "Move the change into the .c files that need it.",
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
