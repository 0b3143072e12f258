import { firstChange } from "../../change/first-change.js";
import type { SourceRule } from "../inspection.js";

/** @see docs/rules/no-reliable-stacks.md */
export const noReliableStacks: SourceRule = {
  id: "no-reliable-stacks",
  severity: "needs-review",
  witnesses: ["source", "object"],
  summary: "this kernel cannot walk stacks reliably",
  why: "A task can then be switched only when it leaves the kernel; kernel threads may never switch.",
  remedy: "Expect the transition to wait, and test it under the real load.",
  sources: [
    "Documentation/livepatch/reliable-stacktrace.rst",
    "Documentation/livepatch/livepatch.rst, Consistency model",
    "arch/Kconfig, HAVE_RELIABLE_STACKTRACE",
  ],
  *check({ file, changes, facts }) {
    const { arch, config, id } = facts.tree;
    // Kconfig knows which architectures, and with which unwinder.
    if (!config || config.value("CONFIG_HAVE_RELIABLE_STACKTRACE") !== undefined) return;
    const first = changes.files.find(({ kind, isCosmetic }) => kind.role !== "other" && !isCosmetic);
    if (file !== first) return;
    yield config.value("CONFIG_LIVEPATCH") === undefined
      ? {
          at: firstChange(file),
          // Our own core takes every doubtful word of a stack for an address: no task is missed for want of a trace.
          severity: "info",
          message: `${id} (${arch}) has neither livepatch nor reliable stack traces: all tasks are switched at once`,
          why: "In place of livepatch's consistency model, hotpatch_core stops the machine, looks at the stacks of all tasks, and changes all functions at once or none. A task that stays in one of them keeps the patch out.",
          remedy: "Test it under the real load; patch a function that no task stays in.",
        }
      : {
          at: firstChange(file),
          message: `${id} (${arch}) has no reliable stack traces: tasks switch only when they leave the kernel, kernel threads perhaps never`,
        };
  },
};
