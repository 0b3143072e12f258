/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HOTPATCH_CORE_H
#define HOTPATCH_CORE_H

#include <linux/completion.h>
#include <linux/kallsyms.h>
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/stacktrace.h>

#include "../hotpatch_core.h"

#undef pr_fmt
#define pr_fmt(fmt) "hotpatch: " fmt

/*
 * Of what may find no memory, the `fail_at`th from now on finds none, in a build
 * that is made for trying that (npm run stress). Nowhere else.
 */
#ifdef HOTPATCH_FAILURES
bool may_fail(void);
#else
static inline bool may_fail(void)
{
	return false;
}
#endif

static inline void *core_alloc(size_t count, size_t size)
{
	return may_fail() ? NULL : kvcalloc(count, size, GFP_KERNEL);
}

/*
 * redirect.c: calls of functions, led to others by ftrace.
 */

/* One function of the running kernel; shared by all patches that carry it. */
struct redirect;

/* Hooks the function at `address`, which goes on as it was until a flip. */
struct redirect *redirect_get(unsigned long address);
/* Not used any more by the caller: it is unhooked at the next sweep if by nobody else either. */
void redirect_put(struct redirect *redirect);
void redirect_sweep(void);
/* Where the function is to lead from the next flip on; 0: to itself. */
void redirect_plan(struct redirect *redirect, unsigned long target);
void redirect_plan_nothing(void);
/*
 * Makes every plan true at once, for all of the machine, while no task is in
 * code that is given up: of functions that lead elsewhere from now on, and all
 * of the modules in `leaving`. Tries again until `patience_ms` are over.
 * -EBUSY: there was a task all the time, and the log names one.
 */
int redirect_flip(const char *patch, const struct module **leaving, unsigned int leaving_count,
		  unsigned int patience_ms);
/*
 * Of the last flip: how long all of the machine was held, and how long it took to
 * stop it, hold it and let it go.
 */
extern u64 redirect_pause_ns, redirect_stop_ns;
void redirect_exit(void);

/*
 * stacks.c: where tasks are.
 */

#define STACK_FRAMES 24

/* A task that is in code which is given up, and how it came there. */
struct holder {
	pid_t pid;
	char comm[TASK_COMM_LEN];
	/* Its stack could not be followed to its end. */
	bool unreliable;
	unsigned int count;
	unsigned long frames[STACK_FRAMES];
};

/*
 * Whether a task may be at an address for which `given_up` is true. To be
 * called while all other processors are stopped.
 */
bool stack_holds(struct task_struct *task, bool (*given_up)(unsigned long address),
		 struct holder *holder);

/*
 * Looks at all tasks while the machine runs, so that less is to do once it is
 * stopped: stack_is_clear() is then true of those which cannot have come to
 * such an address since. True: a task sleeps there, and to stop is of no use.
 */
bool stacks_look(bool (*given_up)(unsigned long address), struct holder *holder);
bool stack_is_clear(struct task_struct *task);
void stacks_forget(void);

/*
 * symbols.c: what the kernel does not export, by name.
 */

struct wanted {
	/* NULL: vmlinux */
	const char *object;
	/* NULL: nothing is wanted */
	const char *name;
	u64 sympos;
	unsigned long address;
	unsigned int count;
};

/* Functions of the kernel's that modules are not linked to. */
struct kernel_functions {
	/* kallsyms_on_each_symbol and module_kallsyms_on_each_symbol, whose types have changed. */
	void *each_symbol;
	void *each_module_symbol;
	typeof(&kallsyms_lookup_size_offset) size_offset;
	typeof(&find_module) find_module;
	typeof(&idle_task) idle_task;
	typeof(&arch_stack_walk) stack_walk;
	void (*put_task_stack)(struct task_struct *task);
	unsigned long (*ftrace_location)(unsigned long address);
	int (*patch_text)(void *address, u32 instruction);
	/* Where returns go that a tracer has taken over; 0: there are none. */
	unsigned long graph_return;
	unsigned long rethook_return;
};
extern struct kernel_functions kernel;

int symbols_init(void);
/* Looks all of them up; complains of those that are not there or ambiguous. */
int symbols_find(const char *patch, struct wanted *wanted, size_t count);

/*
 * relocate.c: late linking.
 */

int relocate(const char *patch, const struct hotpatch_reloc *reloc, unsigned long symbol);
/* What a pair of ADRP and ADD, load or store leads to; 0: it is no such pair. */
unsigned long relocate_read(unsigned long page_at, unsigned long low_at);

/*
 * shadow.c
 */

/* Nobody is left who could read them. */
void shadow_exit(void);

/*
 * patch.c and sysfs.c: patches as people see them.
 */

struct func {
	struct kobject kobj;
	const struct klp_func *is;
	unsigned long address;
	/* While the function is hooked for this patch. */
	struct redirect *redirect;
};

struct object {
	struct kobject kobj;
	struct klp_object *is;
	struct func *funcs;
	/* What refers to it is linked: vmlinux stays where it is. */
	bool linked;
	/* It is there. */
	bool present;
	/* Callbacks before patching were called. */
	bool prepared;
};

struct patch {
	struct kobject kobj;
	struct klp_patch *is;
	const char *name;
	struct object *objects;
	/* In the order of being enabled: later ones win. */
	struct list_head list;
	bool enabled;
	/* Enabled once the flip is done. */
	bool wanted;
	/* By sysfs: no more to be enabled. */
	bool going;
	struct completion released;
};

extern struct mutex patches_mutex;
/* The one that is being enabled or disabled. */
extern struct patch *patch_changing;

int patch_enable(struct patch *patch);
int patch_disable(struct patch *patch);

int sysfs_init(void);
void sysfs_exit(void);
/* Its folder, with one for each object and function. */
int sysfs_add(struct patch *patch);
/* Waits until nobody uses the folder. Not under `patches_mutex`. */
void sysfs_remove(struct patch *patch);

#define for_each_object(patch, object) \
	for (object = (patch)->objects; \
	     object < (patch)->objects + (patch)->is->object_count; object++)
#define for_each_func(object, func) \
	for (func = (object)->funcs; func < (object)->funcs + (object)->is->func_count; func++)

#endif
