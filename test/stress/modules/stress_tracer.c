// SPDX-License-Identifier: GPL-2.0-only
/* Somebody else who leads the victim's calls away. */
#include <linux/ftrace.h>
#include <linux/module.h>

static void notrace nothing(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
			    struct ftrace_regs *fregs)
{
}

static struct ftrace_ops tracer = {
	.func = nothing,
	.flags = FTRACE_OPS_FL_IPMODIFY
#ifndef CONFIG_DYNAMIC_FTRACE_WITH_ARGS
		 | FTRACE_OPS_FL_SAVE_REGS
#endif
};

static char function[] = "victim_value";

static int __init tracer_init(void)
{
	return ftrace_set_filter(&tracer, function, sizeof(function) - 1, 0) ?:
	       register_ftrace_function(&tracer);
}
module_init(tracer_init);

static void __exit tracer_exit(void)
{
	unregister_ftrace_function(&tracer);
	ftrace_free_filter(&tracer);
}
module_exit(tracer_exit);

MODULE_LICENSE("GPL");
