import { callsIn } from "../../change/calls.js";
import type { ChangedFile, ItemChange } from "../../change/change-set.js";
import type { FunctionItem } from "../../change/item.js";
import { functionHeading } from "../../change/outline.js";
import { changesOf } from "../../change/sides.js";
import type { SyntaxNode } from "../../syntax/tree.js";
import type { TreeFacts, Use } from "../../tree/tree-facts.js";
import type { SourceFinding, SourceRule } from "../inspection.js";
import { listed } from "../listed.js";
import { shownUses } from "./callers.js";
import { hasChangedCode } from "./changed-code.js";
import { threadLoops } from "./sleeps.js";

/** @see docs/rules/never-returns-on-stack.md */
export const neverReturnsOnStack: SourceRule = {
  id: "never-returns-on-stack",
  severity: "unsafe",
  witnesses: ["source"],
  summary: "the changed function is always on some task's stack",
  why: "A task is switched to new code only while none of its functions that change is on its stack: a function that never returns keeps the transition from ending, and the old code runs on.",
  remedy: "Patch a function that it calls, and leave the loop itself alone.",
  sources: ["Documentation/livepatch/livepatch.rst, 3. Consistency model"],
  *check({ file, facts }) {
    for (const change of changesOf(file, "function")) {
      if (!hasChangedCode(change) || change.after.kept === "no" || !file.before) continue;
      const { name, before } = change;
      const core = before.isStatic && !STATIC_CORE.has(name) ? undefined : CORE.get(name);
      if (core !== undefined && /^(?:kernel|init|arch)\//.test(file.path)) {
        const message = `'${name}' is ${core}`;
        yield { ...placed(file, change, file.before.syntax(before)), message };
        continue;
      }
      const starts = threadStarts(facts, name);
      const [start] = starts;
      const definition = start && file.before.syntax(before);
      if (!definition || threadLoops(definition).length === 0) continue;
      yield {
        ...placed(file, change, definition),
        message: `'${name}' is the main loop of a kernel thread, which ${start.within ? `'${start.within}'` : start.file} starts: it stays on that thread's stack`,
        related: shownUses(starts, name),
      };
    }
  },
};

/** Where a finding stands, and what can be patched instead. */
function placed(
  file: ChangedFile,
  { name, place }: ItemChange<FunctionItem>,
  definition: SyntaxNode,
): Pick<SourceFinding, "at" | "symbol" | "remedy"> {
  const callees = calleesOf(definition, file, name).map((callee) => `'${callee}'`);
  return {
    at: place,
    symbol: name,
    ...(callees.length > 0 && {
      remedy: `Patch a function that it calls, such as ${listed(callees)}, and leave '${name}' itself alone.`,
    }),
  };
}

/** Functions of the core kernel that some task is in at any time (kernel/sched, kernel/kthread.c, kernel/workqueue.c, arch). */
const CORE = new Map([
  ...["schedule", "__schedule", "__schedule_loop", "schedule_idle", "preempt_schedule_irq"].map(
    (name) => [name, "where every task that does not run stands"] as const,
  ),
  ...["preempt_schedule", "preempt_schedule_common", "preempt_schedule_notrace"].map(
    (name) => [name, "where every preempted task stands"] as const,
  ),
  ...[
    "do_idle",
    "cpu_startup_entry",
    "cpuidle_idle_call",
    "default_idle_call",
    "rest_init",
    "start_secondary",
  ].map((name) => [name, "always on the stack of idle tasks"] as const),
  ...["kthread", "kthreadd", "kthread_worker_fn", "smpboot_thread_fn"].map(
    (name) => [name, "always on the stack of kernel threads"] as const,
  ),
  ...["worker_thread", "rescuer_thread"].map(
    (name) => [name, "always on the stack of workqueue threads"] as const,
  ),
  ...[
    "do_syscall_64",
    "do_syscall_x64",
    "el0_svc",
    "do_el0_svc",
    "el0_svc_common",
    "invoke_syscall",
    "__invoke_syscall",
  ].map((name) => [name, "on the stack of every task that sleeps in a system call"] as const),
]);

/** Those of them that are static. */
const STATIC_CORE = new Set([
  "__schedule",
  "__schedule_loop",
  "preempt_schedule_common",
  "do_idle",
  "cpuidle_idle_call",
  "start_secondary",
  "kthread",
  "smpboot_thread_fn",
  "worker_thread",
  "rescuer_thread",
  "do_syscall_x64",
  "el0_svc",
  "el0_svc_common",
  "invoke_syscall",
  "__invoke_syscall",
]);

/** Calls that start a kernel thread with a function (include/linux/kthread.h, sched/task.h, sched/vhost_task.h). */
const STARTS =
  /^(?:kthread_run(?:_on_cpu)?|kthread_create(?:_on_node|_on_cpu)?|kernel_thread|user_mode_thread|create_io_thread|vhost_task_create)$/;

function threadStarts(facts: TreeFacts, name: string): Use[] {
  return facts
    .uses(name)
    .places.filter(
      ({ argumentOf, kind }) => kind !== "call" && argumentOf !== undefined && STARTS.test(argumentOf),
    );
}

/** Functions of the same file that a function calls. */
function calleesOf(definition: SyntaxNode, file: ChangedFile, name: string): string[] {
  const { after } = file;
  if (!after) return [];
  const names = new Set(callsIn(definition).map((call) => call.name));
  return [...names].filter((callee) => {
    const heading = callee === name ? undefined : functionHeading(after, callee);
    return heading !== undefined && !/\b(?:__always_)?inline\b|\bnotrace\b|\bnoinstr\b/.test(heading.text);
  });
}
