import type { ChangedFile } from "../../change/change-set.js";
import type { FunctionItem } from "../../change/item.js";
import type { TreeFacts, Use } from "../../tree/tree-facts.js";
import { loopsAsThread } from "./sleeps.js";

/** Why a function is on some task's stack at any time. */
export interface AlwaysOnStack {
  /** Completes `'name' is …`. */
  readonly words: string;
  /** Where kernel threads are started with it. */
  readonly starts: readonly Use[];
}

/** @param old the function as it runs, from the file as it was */
export function alwaysOnStack(
  { path, before }: ChangedFile,
  facts: TreeFacts,
  old: FunctionItem,
): AlwaysOnStack | undefined {
  const core = IN_CORE.test(path) ? CORE.find(([, names]) => names.includes(old.name)) : undefined;
  if (core) return { words: core[0], starts: [] };
  const starts = facts
    .uses(old.name)
    .places.filter(
      ({ argumentOf, kind }) => kind !== "call" && argumentOf !== undefined && STARTS.test(argumentOf),
    );
  const [start] = starts;
  if (!start || !before || !loopsAsThread(before.syntax(old))) return undefined;
  const starter = start.within === undefined ? start.file : `'${start.within}'`;
  return {
    words: `the main loop of a kernel thread, which ${starter} starts: it stays on that thread's stack`,
    starts,
  };
}

const IN_CORE = /^(?:kernel|init)\/|^arch\/\w+\/(?:kernel|entry)\//;

/** Functions of the core kernel (kernel/sched, kernel/kthread.c, kernel/smpboot.c, kernel/workqueue.c, init/main.c, arch). */
const CORE: readonly (readonly [string, readonly string[]])[] = [
  [
    "where every task that does not run stands",
    ["schedule", "__schedule", "__schedule_loop", "schedule_idle", "preempt_schedule_irq"],
  ],
  [
    "where every preempted task stands",
    ["preempt_schedule", "preempt_schedule_common", "preempt_schedule_notrace"],
  ],
  [
    "always on the stack of idle tasks",
    ["do_idle", "cpu_startup_entry", "cpuidle_idle_call", "rest_init", "start_secondary"],
  ],
  [
    "always on the stack of kernel threads",
    ["kthread", "kthreadd", "kthread_worker_fn", "smpboot_thread_fn", "worker_thread", "rescuer_thread"],
  ],
  [
    "on the stack of every task that sleeps in a system call",
    [
      ...["do_syscall_64", "do_syscall_x64"],
      ...["el0_svc", "do_el0_svc", "el0_svc_common", "invoke_syscall", "__invoke_syscall"],
    ],
  ],
];

/** Calls that start a kernel thread with a function (include/linux/kthread.h, sched/task.h, sched/vhost_task.h). */
const STARTS =
  /^(?:kthread_run(?:_on_cpu)?|kthread_create(?:_on_node|_on_cpu)?|kernel_thread|user_mode_thread|create_io_thread|vhost_task_create)$/;
