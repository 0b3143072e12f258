import type { Rule } from "./rule.js";

/** Rules that a booted kernel can raise, and those about what was not run. */
export const sandboxRules: readonly Rule[] = [
  {
    id: "load-refused",
    severity: "unsafe",
    witnesses: ["sandbox"],
    summary: "the kernel refused to load the patch module",
    why: "A module that does not load on the very kernel it was built for fixes nothing.",
    remedy: "Read the kernel's reason in the log excerpt.",
  },
  {
    id: "transition-stalled",
    severity: "unsafe",
    witnesses: ["sandbox"],
    summary: "the transition to the new code did not finish in time",
    why: "Some task keeps an old function on its stack; until it leaves, old and new code run side by side and the patch can be neither completed nor replaced.",
    remedy: "Patch a callee of the function that sleeps, or wake the tasks that the review names.",
  },
  {
    id: "kernel-complained",
    severity: "unsafe",
    witnesses: ["sandbox"],
    summary: "the kernel reported an oops, a BUG, a warning, a stall or a hung task during the run",
    why: "An unpatched kernel runs the same steps without a complaint.",
    remedy: "Follow the stack in the log excerpt.",
  },
  {
    id: "behaviour-unchanged",
    severity: "needs-review",
    witnesses: ["sandbox"],
    summary: "the patch's own test says the same with and without the patch, or fails with it",
    why: "The test does not show that the patch does what it is for.",
    remedy: "Make the test fail on the old behaviour and pass on the new one.",
  },
  {
    id: "does-not-unload",
    severity: "needs-review",
    witnesses: ["sandbox"],
    summary: "disabling or removing the patch failed, or the old behaviour did not return",
    why: "A patch that cannot be taken back leaves a reboot as the only way out when it misbehaves.",
    remedy: "Look for references to the module that stay behind: timers, work, lists, tables.",
  },
  {
    id: "kprobe-on-patched",
    severity: "needs-review",
    witnesses: ["sandbox"],
    summary: "a kprobe sits in a redirected function",
    why: "Probes inside the old code stop firing once the function is redirected, and return probes may conflict with it.",
    remedy: "Move the probe to the new function.",
  },
  {
    id: "not-tested",
    severity: "needs-review",
    witnesses: ["sandbox"],
    summary: "no test came with the patch: nobody looked whether behaviour changes",
    why: "Loading and unloading without a complaint does not show that the fix works.",
    remedy: "Add a test.sh beside the patch, or name one with --test; see docs/guide.md.",
  },
  {
    id: "not-run",
    severity: "needs-review",
    witnesses: ["sandbox"],
    summary: "the patch module was not run, or not to the end",
    why: "Whether it loads, takes effect and can be taken back is unknown.",
    remedy: "Run 'hotpatch review' or 'hotpatch test'.",
  },
];
