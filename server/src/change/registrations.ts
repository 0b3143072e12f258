/** Calls that keep the address they are given for longer than they run. */
export interface Registration {
  readonly header: string;
  /** Names, or what they have in common. */
  readonly call: RegExp;
  /** Who keeps the address: `a timer`. */
  readonly keeper: string;
  /** What ends it. */
  readonly ends: readonly string[];
}

/** The first that fits is meant. */
const ROWS: readonly Registration[] = [
  {
    header: "include/linux/timer.h",
    call: /^(?:__)?(?:timer_setup(?:_on_stack)?|add_timer(?:_on)?|mod_timer)$/,
    keeper: "a timer",
    ends: ["timer_delete_sync", "del_timer_sync", "timer_shutdown_sync"],
  },
  {
    header: "include/linux/hrtimer.h",
    call: /^hrtimer_(?:setup|start|start_range_ns|init)$/,
    keeper: "a high-resolution timer",
    ends: ["hrtimer_cancel"],
  },
  {
    header: "include/linux/workqueue.h",
    call: /^(?:__)?INIT_(?:DELAYED_|DEFERRABLE_|RCU_)?WORK$|^(?:queue|schedule|mod)_(?:rcu_|delayed_)?work(?:_on)?$/,
    keeper: "a work item",
    ends: [
      "cancel_work_sync",
      "cancel_delayed_work_sync",
      "flush_work",
      "flush_workqueue",
      "destroy_workqueue",
    ],
  },
  {
    header: "include/linux/kthread.h",
    call: /^kthread_(?:init_work|init_delayed_work|queue_work|queue_delayed_work)$/,
    keeper: "a work item of a kernel thread",
    ends: ["kthread_cancel_work_sync", "kthread_flush_work"],
  },
  {
    header: "include/linux/kthread.h",
    call: /^(?:kthread_(?:run|create|create_on_node|create_on_cpu|run_on_cpu)|kernel_thread|user_mode_thread)$/,
    keeper: "a kernel thread",
    ends: ["kthread_stop"],
  },
  {
    header: "include/linux/rcupdate.h",
    call: /^(?:call_rcu(?:_hurry|_tasks|_tasks_trace)?|call_srcu)$/,
    keeper: "an RCU callback",
    ends: ["rcu_barrier", "srcu_barrier", "rcu_barrier_tasks", "rcu_barrier_tasks_trace"],
  },
  {
    header: "include/linux/interrupt.h",
    call: /^tasklet_(?:setup|init|schedule)$/,
    keeper: "a tasklet",
    ends: ["tasklet_kill"],
  },
  {
    header: "include/linux/interrupt.h",
    call: /^(?:devm_)?request_(?:threaded_|any_context_|percpu_)?(?:irq|nmi)$/,
    keeper: "an interrupt line",
    ends: ["free_irq", "devm_free_irq", "free_percpu_irq"],
  },
  {
    header: "include/linux/device/devres.h",
    call: /^devm_add_action(?:_or_reset)?$/,
    keeper: "a device's list of actions",
    ends: ["devm_remove_action", "devm_release_action"],
  },
  {
    header: "include/linux/task_work.h",
    call: /^init_task_work$/,
    keeper: "a task's work",
    ends: ["task_work_cancel"],
  },
  {
    header: "include/linux/irq_work.h",
    call: /^init_irq_work$/,
    keeper: "an interrupt's work",
    ends: ["irq_work_sync"],
  },
  {
    header: "include/linux/list.h",
    call: /^h?list_add(?:_tail|_head|_before|_behind)?(?:_rcu)?$/,
    keeper: "a list",
    ends: ["list_del", "list_del_init", "list_del_rcu", "hlist_del", "hlist_del_rcu"],
  },
  {
    header: "include/linux/proc_fs.h, include/linux/debugfs.h, include/linux/sysfs.h",
    call: /^(?:proc_create\w*|debugfs_create_\w+|(?:sysfs|device)_create_(?:file|group|groups|bin_file))$/,
    keeper: "a file in procfs, debugfs or sysfs",
    ends: [
      "remove_proc_entry",
      "proc_remove",
      "debugfs_remove",
      "sysfs_remove_file",
      "sysfs_remove_group",
      "device_remove_file",
    ],
  },
  {
    header: "include/linux/notifier.h and the subsystems' own",
    call: /^(?!.*(?:un|de)register)(?:\w+_)?register(?:_\w+)?$/,
    keeper: "a registration",
    ends: [],
  },
];

/** Who keeps the address of what is given to a call; undefined for calls that keep none, or are not known. */
export function registrationOf(call: string): Registration | undefined {
  return ROWS.find((row) => row.call.test(call));
}

/** Whether a call ends such a registration. */
export function endsRegistration({ ends }: Registration, call: string): boolean {
  return ends.length > 0 ? ends.includes(call) : /(?:un|de)register/.test(call);
}
