// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether a task may be in certain code, while all other processors are stopped
 * by stop_machine(): no task is then anywhere but where it was switched out, or
 * in the stopper. Most tasks sleep, and were looked at before.
 *
 * Frame records (AAPCS64 6.4.6) tell who called whom, from where the task was
 * switched out to its last record, in the pt_regs at the bottom of its stack.
 * They are silent on one thing: what an exception interrupted may not have
 * written its record yet, so that its return address is in a register only.
 * Where an exception came between (a page fault that sleeps, preemption), and
 * where the chain does not lead to its end, every word of the stack is taken for
 * an address. That sees too much rather than too little, and such tasks soon
 * move on.
 */
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>

#include <asm/processor.h>

#include "core.h"

struct walk {
	bool (*given_up)(unsigned long address);
	struct holder *holder;
	unsigned int visited;
	bool found;
	/* A tracer has taken over a return: what is found in its place says nothing. */
	bool hidden;
};

/* As it was before it was signed: XPACLRI, no operation without pointer authentication. */
static unsigned long without_signature(unsigned long address)
{
	register unsigned long lr asm("x30") = address;

	asm("hint #7" : "+r" (lr));
	return lr;
}

static bool is_hidden(unsigned long address)
{
	return address && (address == kernel.graph_return || address == kernel.rethook_return);
}

static void visit(struct walk *walk, unsigned long address)
{
	struct holder *holder = walk->holder;

	walk->visited++;
	if (holder->count < STACK_FRAMES)
		holder->frames[holder->count++] = address;
	if (walk->given_up(address))
		walk->found = true;
	else if (is_hidden(address))
		walk->hidden = true;
}

static bool visit_kernels(void *walk, unsigned long address)
{
	visit(walk, address);
	return true;
}

static void scan(struct walk *walk, unsigned long from, unsigned long to)
{
	for (; from + sizeof(long) <= to; from += sizeof(long)) {
		unsigned long word = without_signature(READ_ONCE_NOCHECK(*(unsigned long *)from));

		if (walk->given_up(word) || is_hidden(word))
			visit(walk, word);
	}
}

/* Whether the record at `fp` is the one in pt_regs, for what an exception interrupted. */
static bool is_exception(unsigned long fp, unsigned long low, unsigned long address)
{
	struct pt_regs *regs = (void *)(fp - offsetof(struct pt_regs, stackframe));

	return (unsigned long)regs >= low && READ_ONCE_NOCHECK(regs->pc) == address;
}

enum chain { COMPLETE, INTERRUPTED, BROKEN };

static enum chain follow(struct walk *walk, struct task_struct *task, unsigned long fp,
			 unsigned long low)
{
	unsigned long end = (unsigned long)task_stack_page(task) + THREAD_SIZE;
	unsigned long last = (unsigned long)&task_pt_regs(task)->stackframe;
	enum chain chain = COMPLETE;

	while (fp != last) {
		unsigned long address;

		if (fp < low || fp & 7 || fp + 16 > end)
			return BROKEN;
		address = without_signature(READ_ONCE_NOCHECK(((unsigned long *)fp)[1]));
		if (is_exception(fp, low, address))
			chain = INTERRUPTED;
		visit(walk, address);
		low = fp + 16;
		fp = READ_ONCE_NOCHECK(*(unsigned long *)fp);
	}
	return chain;
}

static bool is_dead(struct task_struct *task)
{
	return READ_ONCE(task->__state) == TASK_DEAD || !task_stack_page(task) ||
	       !refcount_read(&task->stack_refcount);
}

/* Of a task that is switched out. `sp` is then where its stack begins. */
static enum chain follow_switched_out(struct walk *walk, struct task_struct *task,
				      unsigned long *sp)
{
	unsigned long page = (unsigned long)task_stack_page(task);

	*sp = thread_saved_sp(task);
	if (*sp < page || *sp >= page + THREAD_SIZE) {
		*sp = page;
		return BROKEN;
	}
	visit(walk, without_signature(thread_saved_pc(task)));
	return follow(walk, task, thread_saved_fp(task), *sp);
}

/*
 * The kernel's own unwinder knows where returns really lead that a tracer has taken
 * over, if it comes as far as we have come.
 */
static bool returns_lead_elsewhere(struct walk *walk, struct task_struct *task)
{
	struct walk resolved = { walk->given_up, walk->holder };

	kernel.stack_walk(visit_kernels, &resolved, task, NULL);
	return !resolved.found && !resolved.hidden && resolved.visited >= walk->visited;
}

static void name_holder(struct holder *holder, struct task_struct *task, enum chain chain)
{
	holder->pid = task->pid;
	memcpy(holder->comm, task->comm, sizeof(holder->comm));
	holder->unreliable = chain != COMPLETE;
}

bool stack_holds(struct task_struct *task, bool (*given_up)(unsigned long address),
		 struct holder *holder)
{
	struct walk walk = { given_up, holder };
	enum chain chain;

	holder->count = 0;
	if (task == current) {
		chain = follow(&walk, task, (unsigned long)__builtin_frame_address(0),
			       (unsigned long)task_stack_page(task));
	} else if (READ_ONCE(task->on_cpu)) {
		/* The stopper of another processor: where `current` is, too. */
		return false;
	} else if (is_dead(task)) {
		return false;
	} else {
		unsigned long sp;

		chain = follow_switched_out(&walk, task, &sp);
		if (chain != COMPLETE)
			scan(&walk, sp, (unsigned long)task_stack_page(task) + THREAD_SIZE);
	}
	if (walk.hidden && (chain != COMPLETE || !returns_lead_elsewhere(&walk, task)))
		walk.found = true;
	if (!walk.found && !(task == current && chain == BROKEN))
		return false;
	name_holder(holder, task, chain);
	return true;
}

/*
 * Tasks that were seen outside of what is given up while the machine ran. Why none
 * of them can have slipped into it until the machine stands still:
 * - Only a task that runs changes its stack, and whoever runs is switched out
 *   before the machine stands still, if only for the stopper. __schedule()
 *   (kernel/sched/core.c) then adds to nvcsw or nivcsw, which only grow.
 * - So a task with the same count as before its stack was read has not run since:
 *   the stack that was read is the one that it has. What was misread of one that ran
 *   meanwhile does not count.
 * - The stack that was read is no older than the count: the count is read first,
 *   then on_cpu, then the stack. Whoever sees a count sees on_cpu as it was set for
 *   the run that ended with it (smp_mb__after_spinlock() in __schedule() is between
 *   the two); a zero is then finish_task()'s, and what the task had saved is there.
 * - The reference keeps the address of a task from becoming that of a new one.
 */
struct seen {
	struct task_struct *task;
	unsigned long switches;
};

static struct seen *seen;
static unsigned int seen_bits;

static unsigned long switches_of(struct task_struct *task)
{
	return READ_ONCE(task->nvcsw) + READ_ONCE(task->nivcsw);
}

/* Its place, or the free one where it belongs. There is always one: half of them stay free. */
static struct seen *place_of(struct task_struct *task)
{
	unsigned int i = hash_ptr(task, seen_bits);

	while (seen[i].task && seen[i].task != task)
		i = (i + 1) & ((1U << seen_bits) - 1);
	return &seen[i];
}

/* Remembers a task if it is not in what is given up; true: it is there, as far as can be told. */
static bool look(struct task_struct *task, bool (*given_up)(unsigned long address),
		 struct holder *holder)
{
	struct walk walk = { given_up, holder };
	unsigned long switches = switches_of(task), sp;
	enum chain chain;

	/* The count before on_cpu: pairs with smp_mb__after_spinlock() in __schedule(). */
	smp_rmb();
	/* on_cpu before the stack: pairs with the release in finish_task(). */
	if (smp_load_acquire(&task->on_cpu) || is_dead(task) || !try_get_task_stack(task))
		return false;
	holder->count = 0;
	chain = follow_switched_out(&walk, task, &sp);
	if (walk.found)
		name_holder(holder, task, chain);
	else if (chain == COMPLETE && !walk.hidden)
		*place_of(task) = (struct seen){ get_task_struct(task), switches };
	kernel.put_task_stack(task);
	return walk.found;
}

bool stacks_look(bool (*given_up)(unsigned long address), struct holder *holder)
{
	struct task_struct *group, *task;
	unsigned int count = 0, room;
	bool held = false;

	rcu_read_lock();
	for_each_process_thread(group, task)
		count++;
	rcu_read_unlock();
	room = count + 16;
	seen_bits = ilog2(roundup_pow_of_two(2 * room));
	/* Without, every stack is looked at while the machine is stopped. */
	seen = core_alloc(1U << seen_bits, sizeof(*seen));
	if (!seen)
		return false;
	rcu_read_lock();
	for_each_process_thread(group, task) {
		if (!room--)
			goto out;
		held = look(task, given_up, holder);
		if (held)
			goto out;
	}
out:
	rcu_read_unlock();
	return held;
}

bool stack_is_clear(struct task_struct *task)
{
	struct seen *place;

	if (!seen)
		return false;
	place = place_of(task);
	return place->task && place->switches == switches_of(task);
}

void stacks_forget(void)
{
	unsigned int i;

	for (i = 0; seen && i < 1U << seen_bits; i++) {
		if (seen[i].task)
			put_task_struct(seen[i].task);
	}
	kvfree(seen);
	seen = NULL;
}
