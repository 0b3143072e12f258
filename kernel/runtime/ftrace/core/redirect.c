// SPDX-License-Identifier: GPL-2.0-only
/*
 * One ftrace_ops for all functions, and a table from the address of a call site
 * to the code that is to run. The table changes under stop_machine() only: no
 * processor is then in the handler, and all changes of a patch are seen at once.
 */
#include <linux/delay.h>
#include <linux/ftrace.h>
#include <linux/hashtable.h>
#include <linux/rculist.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/sort.h>
#include <linux/stop_machine.h>

#include "core.h"

struct redirect {
	struct hlist_node node;
	struct list_head list;
	/* As ftrace calls the place. */
	unsigned long ip;
	unsigned long address;
	/* Where calls lead, and where they will; 0: nowhere else. */
	unsigned long target;
	unsigned long planned;
	unsigned int users;
	/* ftrace did not let go of it, which was said. */
	bool stuck;
};

static DEFINE_HASHTABLE(redirects, 10);
/* The same, for walking through them: exactly the functions in the filter of `ops`. */
static LIST_HEAD(redirect_list);
static unsigned int redirect_count;
u64 redirect_pause_ns, redirect_stop_ns;

/* Under `patches_mutex`, or with preemption off: entries go under stop_machine() only. */
static struct redirect *find(unsigned long ip)
{
	struct redirect *redirect;

	hash_for_each_possible_rcu_notrace(redirects, redirect, node, ip) {
		if (redirect->ip == ip)
			return redirect;
	}
	return NULL;
}

static void notrace handler(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
			    struct ftrace_regs *fregs)
{
	struct redirect *redirect;

	/* Keeps stop_machine() away. */
	preempt_disable_notrace();
	redirect = find(ip);
	if (redirect && redirect->target) {
#ifdef CONFIG_DYNAMIC_FTRACE_WITH_ARGS
		ftrace_regs_set_instruction_pointer(fregs, redirect->target);
#else
		instruction_pointer_set(ftrace_get_regs(fregs), redirect->target);
#endif
	}
	preempt_enable_notrace();
}

static struct ftrace_ops ops = {
	.func = handler,
	.flags = FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_PERMANENT
#ifndef CONFIG_DYNAMIC_FTRACE_WITH_ARGS
		 | FTRACE_OPS_FL_SAVE_REGS
#endif
};

static bool registered;

/* While ftrace calls into the core, nobody can unload it. */
static int start_calls(void)
{
	int ret = may_fail() ? -ENOMEM : register_ftrace_function(&ops);

	if (!ret) {
		registered = true;
		__module_get(THIS_MODULE);
	}
	return ret;
}

static int end_calls(void)
{
	int ret = unregister_ftrace_function(&ops);

	if (!ret) {
		registered = false;
		module_put(THIS_MODULE);
	}
	return ret;
}

/* It leads nowhere yet, and nobody uses it. */
static struct redirect *redirect_new(unsigned long ip, unsigned long address)
{
	struct redirect *redirect = core_alloc(1, sizeof(*redirect));
	int ret;

	if (!redirect)
		return ERR_PTR(-ENOMEM);
	redirect->ip = ip;
	redirect->address = address;
	ret = may_fail() ? -ENOMEM : ftrace_set_filter_ip(&ops, ip, 0, 0);
	if (ret) {
		kvfree(redirect);
		return ERR_PTR(ret);
	}
	hash_add_rcu(redirects, &redirect->node, ip);
	list_add_tail(&redirect->list, &redirect_list);
	redirect_count++;
	return redirect;
}

struct redirect *redirect_get(unsigned long address)
{
	struct redirect *redirect;
	unsigned long ip = kernel.ftrace_location(address);
	int ret;

	lockdep_assert_held(&patches_mutex);
	if (!ip) {
		pr_err("%pS has no ftrace entry\n", (void *)address);
		return ERR_PTR(-EINVAL);
	}
	redirect = find(ip);
	/* What is there by now may belong to another module, and ftrace does not call for it. */
	if (redirect && redirect->stuck) {
		redirect_sweep();
		redirect = find(ip) ? ERR_PTR(-EBUSY) : NULL;
	}
	if (!redirect)
		redirect = redirect_new(ip, address);
	ret = PTR_ERR_OR_ZERO(redirect);
	if (!ret && !registered)
		ret = start_calls();
	if (ret) {
		pr_err("ftrace does not let go of %pS (%d)%s\n", (void *)address, ret,
		       ret != -EBUSY ? "" :
		       ": another patch, kprobe or tracer leads its calls away, or ftrace_enabled is 0");
		return ERR_PTR(ret);
	}
	redirect->users++;
	return redirect;
}

void redirect_put(struct redirect *redirect)
{
	redirect->users--;
}

static int take_out_unused(void *unused)
{
	struct redirect *redirect;

	list_for_each_entry(redirect, &redirect_list, list) {
		if (!redirect->users)
			hash_del(&redirect->node);
	}
	return 0;
}

/* Whether ftrace lets go of it. */
static bool unhook(struct redirect *redirect)
{
	int ret = 0;

	/* Of an ops without any functions, ftrace believes that it traces all. */
	if (registered && list_is_singular(&redirect_list))
		ret = end_calls();
	if (!ret)
		ret = may_fail() ? -ENOMEM : ftrace_set_filter_ip(&ops, redirect->ip, 1, 0);
	if (ret && !redirect->stuck)
		pr_err("ftrace keeps calling for %pS (%d), which leads nowhere\n",
		       (void *)redirect->address, ret);
	redirect->stuck = ret;
	return !ret;
}

void redirect_sweep(void)
{
	struct redirect *redirect, *next;

	lockdep_assert_held(&patches_mutex);
	list_for_each_entry(redirect, &redirect_list, list) {
		if (!redirect->users)
			break;
	}
	if (list_entry_is_head(redirect, &redirect_list, list))
		return;
	stop_machine(take_out_unused, NULL, NULL);
	list_for_each_entry_safe(redirect, next, &redirect_list, list) {
		if (redirect->users)
			continue;
		if (unhook(redirect)) {
			list_del(&redirect->list);
			redirect_count--;
			kvfree(redirect);
		} else {
			/* The next sweep tries again. */
			redirect->target = 0;
			hash_add_rcu(redirects, &redirect->node, redirect->ip);
		}
	}
}

void redirect_plan(struct redirect *redirect, unsigned long target)
{
	redirect->planned = target;
}

void redirect_plan_nothing(void)
{
	struct redirect *redirect;

	list_for_each_entry(redirect, &redirect_list, list)
		redirect->planned = 0;
}

/*
 * Flip
 */

/*
 * Of a function: any address above `low` up to `last` from which it goes on, return
 * addresses at its very end included. Who is about to run the very start of an old
 * function comes by ftrace's call first; of a replacement, from there.
 */
struct extent {
	unsigned long low;
	unsigned long last;
};

static struct {
	struct extent *ranges;
	unsigned int range_count;
	const struct module **modules;
	unsigned int module_count;
	struct holder holder;
} flip;

static bool given_up(unsigned long address)
{
	unsigned int low = 0, high = flip.range_count, i;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (address <= flip.ranges[middle].low)
			high = middle;
		else if (address > flip.ranges[middle].last)
			low = middle + 1;
		else
			return true;
	}
	for (i = 0; i < flip.module_count; i++) {
		if (within_module(address, flip.modules[i]))
			return true;
	}
	return false;
}

static bool anybody_there(void)
{
	struct task_struct *group, *task;
	int cpu;

	for_each_process_thread(group, task) {
		if (!stack_is_clear(task) && stack_holds(task, given_up, &flip.holder))
			return true;
	}
	for_each_online_cpu(cpu) {
		if (stack_holds(kernel.idle_task(cpu), given_up, &flip.holder))
			return true;
	}
	return false;
}

static int flip_stopped(void *unused)
{
	u64 start = local_clock();
	struct redirect *redirect;
	int ret = 0;

	if (anybody_there()) {
		ret = -EBUSY;
	} else {
		list_for_each_entry(redirect, &redirect_list, list)
			redirect->target = redirect->planned;
	}
	redirect_pause_ns = local_clock() - start;
	return ret;
}

static int stop_and_flip(void)
{
	u64 start = local_clock();
	int ret = stop_machine(flip_stopped, NULL, NULL);

	redirect_stop_ns = local_clock() - start;
	return ret;
}

static int by_address(const void *a, const void *b)
{
	const struct extent *one = a, *other = b;

	return one->low < other->low ? -1 : one->low > other->low;
}

static int list_ranges(void)
{
	struct redirect *redirect;

	flip.range_count = 0;
	flip.ranges = core_alloc(redirect_count + 1, sizeof(*flip.ranges));
	if (!flip.ranges)
		return -ENOMEM;
	list_for_each_entry(redirect, &redirect_list, list) {
		unsigned long start = redirect->target ?: redirect->address;
		unsigned long size = 0, offset;

		if (redirect->target == redirect->planned)
			continue;
		if (!kernel.size_offset(start, &size, &offset) || offset) {
			pr_err("cannot tell the size of %pS\n", (void *)start);
			kvfree(flip.ranges);
			return -ENOENT;
		}
		flip.ranges[flip.range_count++] = (struct extent){
			redirect->target ? start - 1 : start, start + size,
		};
	}
	sort(flip.ranges, flip.range_count, sizeof(*flip.ranges), by_address, NULL);
	return 0;
}

static void tell_holder(const char *patch)
{
	unsigned int i;

	pr_err("%s: %s (pid %d) is in code that would be replaced%s:\n", patch, flip.holder.comm,
	       flip.holder.pid,
	       flip.holder.unreliable ? ", by all that its stack holds" : "");
	for (i = 0; i < flip.holder.count; i++)
		pr_err("  %pS%s\n", (void *)flip.holder.frames[i],
		       given_up(flip.holder.frames[i]) ? "  <--" : "");
}

int redirect_flip(const char *patch, const struct module **leaving, unsigned int leaving_count,
		  unsigned int patience_ms)
{
	unsigned int waited = 0, wait = 5;
	int ret = list_ranges();

	if (ret)
		return ret;
	flip.modules = leaving;
	flip.module_count = leaving_count;
	for (;;) {
		ret = stacks_look(given_up, &flip.holder) ? -EBUSY : stop_and_flip();
		stacks_forget();
		if (ret != -EBUSY || waited >= patience_ms)
			break;
		if (msleep_interruptible(wait)) {
			ret = -EINTR;
			break;
		}
		waited += wait;
		wait = min(wait * 2, 500U);
	}
	if (ret == -EBUSY)
		tell_holder(patch);
	kvfree(flip.ranges);
	return ret;
}

/* The core only goes once ftrace does not call it any more. */
void redirect_exit(void)
{
	struct redirect *redirect, *next;

	list_for_each_entry_safe(redirect, next, &redirect_list, list)
		kvfree(redirect);
	ftrace_free_filter(&ops);
}
