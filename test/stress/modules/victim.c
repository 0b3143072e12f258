// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the stress run patches: functions that threads hammer, and one that they
 * sleep in. /proc/victim tells its value and how often a thread saw another one
 * than any patch gives; a number written to it is how many milliseconds the
 * writer then sleeps inside a patched function.
 */
#include <linux/delay.h>
#include <linux/ftrace.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

static unsigned int hammers = 4;
module_param(hammers, uint, 0444);
static unsigned int sleepers = 2;
module_param(sleepers, uint, 0444);
static unsigned int idlers = 500;
module_param(idlers, uint, 0444);

static atomic64_t calls;
static atomic_t wrong;

int victim_value(int base);
int victim_sleep(unsigned int ms);
int victim_untraced(void);
int victim_traced(int base);

noinline int victim_value(int base)
{
	barrier();
	return base + 1;
}

/* Of the same shape; only traced, never patched. */
noinline int victim_traced(int base)
{
	barrier();
	return base + 1;
}

noinline notrace int victim_untraced(void)
{
	barrier();
	return 1;
}

noinline int victim_sleep(unsigned int ms)
{
	msleep_interruptible(ms);
	return victim_value(0);
}

static int hammer(void *unused)
{
	while (!kthread_should_stop()) {
		int value = victim_value(100);

		if (value < 101 || value > 104)
			atomic_inc(&wrong);
		atomic64_inc(&calls);
		cond_resched();
	}
	return 0;
}

static int sleeper(void *unused)
{
	while (!kthread_should_stop()) {
		int value = victim_sleep(3);

		if (value < 1 || value > 4)
			atomic_inc(&wrong);
		msleep_interruptible(20);
	}
	return 0;
}

static int idler(void *unused)
{
	while (!kthread_should_stop()) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (!kthread_should_stop())
			schedule();
		__set_current_state(TASK_RUNNING);
	}
	return 0;
}

static void notrace nothing(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
			    struct ftrace_regs *fregs)
{
}

static struct ftrace_ops tracer = {
	.func = nothing,
#ifndef CONFIG_DYNAMIC_FTRACE_WITH_ARGS
	.flags = FTRACE_OPS_FL_SAVE_REGS,
#endif
};

/* Nanoseconds for 1000 calls: of many rounds the one that was disturbed least. */
static u64 clock_calls(int (*function)(int base))
{
	u64 best = U64_MAX;
	unsigned int round, i;

	for (round = 0; round < 200; round++) {
		u64 start = ktime_get_ns();

		for (i = 0; i < 1000; i++)
			function(i);
		best = min(best, ktime_get_ns() - start);
	}
	return best;
}

static int show(struct seq_file *file, void *unused)
{
	seq_printf(file, "value %d\nwrong %d\ncalls %lld\n", victim_value(0), atomic_read(&wrong),
		   atomic64_read(&calls));
	return 0;
}

static int show_clock(struct seq_file *file, void *unused)
{
	u64 plain = clock_calls(victim_traced), traced, value;
	int ret = ftrace_set_filter_ip(&tracer, (unsigned long)victim_traced, 0, 0);

	if (!ret)
		ret = register_ftrace_function(&tracer);
	if (ret)
		return ret;
	traced = clock_calls(victim_traced);
	unregister_ftrace_function(&tracer);
	value = clock_calls(victim_value);
	seq_printf(file, "plain %llu\ntraced %llu\nvalue %llu\n", plain, traced, value);
	return 0;
}

static ssize_t write(struct file *file, const char __user *text, size_t count, loff_t *at)
{
	unsigned int ms;
	int ret = kstrtouint_from_user(text, count, 0, &ms);

	if (ret)
		return ret;
	victim_sleep(ms);
	return count;
}

static int open(struct inode *inode, struct file *file)
{
	return single_open(file, show, NULL);
}

static const struct proc_ops ops = {
	.proc_open = open,
	.proc_read = seq_read,
	.proc_write = write,
	.proc_lseek = seq_lseek,
	.proc_release = single_release,
};

static struct task_struct *threads[600];
static unsigned int thread_count;

static void start(int (*function)(void *data), const char *name, unsigned int count)
{
	for (; count && thread_count < ARRAY_SIZE(threads); count--) {
		struct task_struct *thread = kthread_run(function, NULL, "victim-%s", name);

		if (!IS_ERR(thread))
			threads[thread_count++] = thread;
	}
}

static int __init victim_init(void)
{
	if (!proc_create("victim", 0600, NULL, &ops) ||
	    !proc_create_single("victim-clock", 0400, NULL, show_clock))
		return -ENOMEM;
	victim_untraced();
	start(hammer, "hammer", hammers);
	start(sleeper, "sleeper", sleepers);
	start(idler, "idler", idlers);
	return 0;
}
module_init(victim_init);

static void __exit victim_exit(void)
{
	remove_proc_entry("victim", NULL);
	remove_proc_entry("victim-clock", NULL);
	while (thread_count)
		kthread_stop(threads[--thread_count]);
}
module_exit(victim_exit);

MODULE_LICENSE("GPL");
