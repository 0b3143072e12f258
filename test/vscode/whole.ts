/** The file of the whole kernel tree that the suites edit. */
export const WHOLE = "kernel/sched/core.c";
