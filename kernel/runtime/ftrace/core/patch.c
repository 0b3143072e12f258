// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hot patches for kernels without CONFIG_LIVEPATCH: patches are enabled and
 * disabled as a whole, by redirects that ftrace makes (redirect.c), while no
 * task is in the code that is given up (stacks.c). What livepatch users know is
 * as they know it: Documentation/livepatch/.
 */
#include <linux/ftrace.h>
#include <linux/notifier.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>

#include "core.h"

static unsigned int patience_ms = 10000;
module_param(patience_ms, uint, 0644);
MODULE_PARM_DESC(patience_ms, "how long to try while tasks are in code that would be replaced");

static unsigned int pause_us;
module_param(pause_us, uint, 0444);
MODULE_PARM_DESC(pause_us, "how long the machine was held for the last change");

static unsigned int stop_us;
module_param(stop_us, uint, 0444);
MODULE_PARM_DESC(stop_us, "the same with the time to stop it and to let it go");

#ifdef HOTPATCH_FAILURES
static unsigned int fail_at;
module_param(fail_at, uint, 0644);

bool may_fail(void)
{
	return fail_at && !--fail_at;
}
#endif

DEFINE_MUTEX(patches_mutex);
static LIST_HEAD(patches);
struct patch *patch_changing;

/*
 * Linking
 */

/* Looks up the object's functions and all symbols that its relocations name. */
static int object_find(struct patch *patch, struct object *object, struct wanted *functions,
		       struct wanted *symbols)
{
	const struct klp_object *is = object->is;
	u64 i;

	for (i = 0; i < is->func_count; i++) {
		const struct klp_func *func = &is->funcs[i];

		functions[i] = (struct wanted){ is->name, func->old_name, func->old_sympos };
	}
	/* Those of other objects stay empty: they may not be there. */
	for (i = 0; i < is->reloc_count; i++) {
		const struct hotpatch_symbol *symbol = &patch->is->symbols[is->relocs[i].symbol];

		symbols[is->relocs[i].symbol] = (struct wanted){
			symbol->object, symbol->reader ?: symbol->name, symbol->sympos,
		};
	}
	return symbols_find(patch->name, functions, is->func_count + patch->is->symbol_count);
}

static int symbol_address(struct patch *patch, const struct hotpatch_symbol *symbol,
			  unsigned long found, unsigned long *address)
{
	*address = found;
	if (!symbol->reader)
		return 0;
	*address = relocate_read(found + symbol->page, found + symbol->low);
	if (!*address) {
		pr_err("%s: '%s' cannot be read from the code of %pS\n", patch->name, symbol->name,
		       (void *)found);
		return -ENOENT;
	}
	*address -= symbol->ahead;
	return 0;
}

/* Makes an object, which is there, ready to be patched. */
static int object_link(struct patch *patch, struct object *object)
{
	const struct klp_object *is = object->is;
	struct wanted *functions, *symbols;
	unsigned long address;
	int ret;
	u64 i;

	functions = core_alloc(is->func_count + patch->is->symbol_count + 1, sizeof(*functions));
	if (!functions)
		return -ENOMEM;
	symbols = functions + is->func_count;
	ret = object_find(patch, object, functions, symbols);
	for (i = 0; !ret && i < is->func_count; i++)
		object->funcs[i].address = functions[i].address;
	for (i = 0; !ret && i < is->reloc_count; i++) {
		const struct hotpatch_reloc *reloc = &is->relocs[i];

		ret = symbol_address(patch, &patch->is->symbols[reloc->symbol],
				     symbols[reloc->symbol].address, &address) ?:
		      relocate(patch->name, reloc, address);
	}
	kvfree(functions);
	/* No processor goes on with instructions that it has fetched before. */
	if (!ret)
		kick_all_cpus_sync();
	return ret;
}

/* 1: there; 0: not; -EAGAIN: just being loaded, perhaps past our notifier. */
static int object_there(struct object *object)
{
	struct module *module;
	int ret = 0;

	if (!object->is->name)
		return 1;
	/* A module that is there stays there: it cannot go past our notifier. */
	preempt_disable();
	module = kernel.find_module(object->is->name);
	if (module && module->state == MODULE_STATE_LIVE) {
		object->is->mod = module;
		ret = 1;
	} else if (module && module->state == MODULE_STATE_COMING) {
		ret = -EAGAIN;
	}
	preempt_enable();
	return ret;
}

/*
 * Hooking
 */

static void object_unhook(struct object *object)
{
	struct func *func;

	for_each_func(object, func) {
		if (func->redirect)
			redirect_put(func->redirect);
		func->redirect = NULL;
	}
}

static void object_leave(struct object *object)
{
	object_unhook(object);
	if (object->prepared && object->is->callbacks.post_unpatch)
		object->is->callbacks.post_unpatch(object->is);
	object->prepared = false;
	object->present = false;
	object->is->mod = NULL;
	/* A module comes back elsewhere. */
	if (object->is->name)
		object->linked = false;
}

/* All that can fail before the flip; then the caller leaves the object. */
static int object_prepare(struct patch *patch, struct object *object)
{
	struct func *func;
	int ret;

	if (!object->linked) {
		ret = object_link(patch, object);
		if (ret)
			return ret;
		object->linked = true;
	}
	object->present = true;
	if (object->is->callbacks.pre_patch) {
		ret = object->is->callbacks.pre_patch(object->is);
		if (ret) {
			pr_err("%s: its callback before patching %s fails with %d\n", patch->name,
			       object->is->name ?: "vmlinux", ret);
			return ret;
		}
	}
	object->prepared = true;
	for_each_func(object, func) {
		func->redirect = redirect_get(func->address);
		if (IS_ERR(func->redirect)) {
			ret = PTR_ERR(func->redirect);
			func->redirect = NULL;
			return ret;
		}
	}
	return 0;
}

static void plan(void)
{
	struct patch *patch;
	struct object *object;
	struct func *func;

	redirect_plan_nothing();
	list_for_each_entry(patch, &patches, list) {
		if (!patch->wanted)
			continue;
		for_each_object(patch, object) {
			for_each_func(object, func) {
				if (func->redirect)
					redirect_plan(func->redirect,
						      (unsigned long)func->is->new_func);
			}
		}
	}
}

static int flip(struct patch *cause)
{
	const struct module **leaving;
	unsigned int count = 0;
	struct patch *patch;
	int ret;

	plan();
	list_for_each_entry(patch, &patches, list)
		count++;
	leaving = core_alloc(count, sizeof(*leaving));
	if (!leaving)
		return -ENOMEM;
	count = 0;
	list_for_each_entry(patch, &patches, list) {
		if (patch->enabled && !patch->wanted)
			leaving[count++] = patch->is->mod;
	}
	ret = redirect_flip(cause->name, leaving, count, patience_ms);
	pause_us = redirect_pause_ns / 1000;
	stop_us = redirect_stop_ns / 1000;
	kvfree(leaving);
	return ret;
}

/*
 * Patches
 */

static void patch_leave(struct patch *patch)
{
	struct object *object;

	for_each_object(patch, object)
		object_leave(object);
}

static void after_patching(struct object *object)
{
	if (object->prepared && object->is->callbacks.post_patch)
		object->is->callbacks.post_patch(object->is);
}

/*
 * Those that the patch just enabled has taken over from. Their callbacks are not
 * called: cumulative-patches.rst.
 */
static void let_go_replaced(void)
{
	struct patch *patch;
	struct object *object;

	list_for_each_entry(patch, &patches, list) {
		if (!patch->enabled || patch->wanted)
			continue;
		for_each_object(patch, object) {
			object->prepared = false;
			object_leave(object);
		}
		patch->enabled = false;
		pr_notice("%s: replaced\n", patch->name);
		module_put(patch->is->mod);
	}
}

struct klp_state *klp_get_state(struct klp_patch *patch, unsigned long id)
{
	u64 i;

	for (i = 0; i < patch->state_count; i++) {
		if (patch->states[i].id == id)
			return &patch->states[i];
	}
	return NULL;
}
EXPORT_SYMBOL_GPL(klp_get_state);

/* To be called by callbacks: `patches_mutex` is held. */
struct klp_state *klp_get_prev_state(unsigned long id)
{
	struct klp_state *last = NULL;
	struct patch *patch;

	if (WARN_ON_ONCE(!patch_changing))
		return NULL;
	list_for_each_entry(patch, &patches, list) {
		if (patch == patch_changing)
			break;
		if (patch->enabled)
			last = klp_get_state(patch->is, id) ?: last;
	}
	return last;
}
EXPORT_SYMBOL_GPL(klp_get_prev_state);

/* What patches before it have changed, it must know as well or better: system-state.rst. */
static bool states_fit(struct patch *patch)
{
	struct patch *other;
	u64 i;

	list_for_each_entry(other, &patches, list) {
		if (!other->enabled)
			continue;
		for (i = 0; i < other->is->state_count; i++) {
			struct klp_state *old = &other->is->states[i];
			struct klp_state *new = klp_get_state(patch->is, old->id);

			if (new ? new->version >= old->version : !patch->is->replace)
				continue;
			pr_err("%s: does not know version %u of state %lu, which %s has changed\n",
			       patch->name, old->version, old->id, other->name);
			return false;
		}
	}
	return true;
}

static void want(struct patch *patch, bool wanted)
{
	struct patch *other;

	patch->wanted = wanted;
	if (!patch->is->replace)
		return;
	list_for_each_entry(other, &patches, list) {
		if (other != patch)
			other->wanted = other->enabled && !wanted;
	}
}

static int enable(struct patch *patch)
{
	struct object *object;
	int ret = states_fit(patch) ? 0 : -EINVAL;

	list_move_tail(&patch->list, &patches);
	for_each_object(patch, object) {
		if (ret)
			break;
		ret = object_there(object);
		if (ret == -EAGAIN)
			pr_err("%s: module %s is just being loaded\n", patch->name,
			       object->is->name);
		if (ret > 0)
			ret = object_prepare(patch, object);
	}
	if (!ret) {
		want(patch, true);
		ret = flip(patch);
		if (ret)
			want(patch, false);
	}
	if (ret) {
		patch_leave(patch);
		pr_err("%s: not enabled (%d)\n", patch->name, ret);
		return ret;
	}
	patch->enabled = true;
	for_each_object(patch, object)
		after_patching(object);
	let_go_replaced();
	pr_notice("%s: enabled\n", patch->name);
	return 0;
}

int patch_enable(struct patch *patch)
{
	int ret;

	if (patch->enabled) {
		pr_err("%s: is enabled already\n", patch->name);
		return -EALREADY;
	}
	if (patch->going || !try_module_get(patch->is->mod))
		return -ENODEV;
	WRITE_ONCE(patch_changing, patch);
	ret = enable(patch);
	redirect_sweep();
	WRITE_ONCE(patch_changing, NULL);
	if (ret)
		module_put(patch->is->mod);
	return ret;
}

static bool patch_uses(struct patch *patch, struct redirect *redirect)
{
	struct object *object;
	struct func *func;

	for_each_object(patch, object) {
		for_each_func(object, func) {
			if (func->redirect == redirect)
				return true;
		}
	}
	return false;
}

/* A later patch that has one of its functions. */
static struct patch *patch_above(struct patch *patch)
{
	struct patch *above = patch;
	struct object *object;
	struct func *func;

	list_for_each_entry_continue(above, &patches, list) {
		for_each_object(patch, object) {
			for_each_func(object, func) {
				if (func->redirect && patch_uses(above, func->redirect))
					return above;
			}
		}
	}
	return NULL;
}

int patch_disable(struct patch *patch)
{
	struct patch *above;
	struct object *object;
	int ret;

	if (!patch->enabled) {
		pr_err("%s: is not enabled\n", patch->name);
		return -EINVAL;
	}
	above = patch_above(patch);
	if (above) {
		pr_err("%s: patch %s is above it, and is to be disabled first\n", patch->name,
		       above->name);
		return -EBUSY;
	}
	WRITE_ONCE(patch_changing, patch);
	for_each_object(patch, object) {
		if (object->prepared && object->is->callbacks.pre_unpatch)
			object->is->callbacks.pre_unpatch(object->is);
	}
	patch->wanted = false;
	ret = flip(patch);
	if (ret) {
		patch->wanted = true;
		for_each_object(patch, object)
			after_patching(object);
		pr_err("%s: not disabled (%d)\n", patch->name, ret);
	} else {
		patch->enabled = false;
		patch_leave(patch);
		redirect_sweep();
		pr_notice("%s: disabled\n", patch->name);
	}
	WRITE_ONCE(patch_changing, NULL);
	if (!ret)
		module_put(patch->is->mod);
	return ret;
}

/*
 * Modules that come after the patch, and go before it
 */

static int module_coming(struct patch *patch, struct object *object, struct module *module)
{
	int ret;

	object->is->mod = module;
	ret = object_prepare(patch, object) ?: flip(patch);
	if (ret)
		object_leave(object);
	else
		after_patching(object);
	return ret;
}

static void module_going(struct object *object)
{
	if (object->prepared && object->is->callbacks.pre_unpatch)
		object->is->callbacks.pre_unpatch(object->is);
	object_leave(object);
}

static struct object *object_of(struct patch *patch, const struct module *module)
{
	struct object *object;

	for_each_object(patch, object) {
		if (object->is->name && !strcmp(object->is->name, module->name))
			return object;
	}
	return NULL;
}

static int on_module(struct notifier_block *block, unsigned long state, void *data)
{
	struct module *module = data;
	struct patch *patch;
	struct object *object;
	int ret = 0;

	if (state != MODULE_STATE_COMING && state != MODULE_STATE_GOING)
		return NOTIFY_DONE;
	mutex_lock(&patches_mutex);
	list_for_each_entry(patch, &patches, list) {
		object = patch->enabled ? object_of(patch, module) : NULL;
		if (!object)
			continue;
		if (state == MODULE_STATE_GOING && object->present) {
			module_going(object);
		} else if (state == MODULE_STATE_COMING && !object->present) {
			ret = module_coming(patch, object, module);
			if (ret)
				break;
		}
	}
	if (ret) {
		pr_err("%s: cannot patch module %s (%d), which is not loaded therefore\n",
		       patch->name, module->name, ret);
		list_for_each_entry(patch, &patches, list) {
			object = patch->enabled ? object_of(patch, module) : NULL;
			if (object && object->present)
				module_going(object);
		}
	}
	redirect_sweep();
	mutex_unlock(&patches_mutex);
	return notifier_from_errno(ret);
}

static struct notifier_block module_notifier = {
	.notifier_call = on_module,
	/* Before anybody looks at the module's code. */
	.priority = INT_MAX,
};

/*
 * What patch modules call
 */

static void patch_free(struct patch *patch)
{
	struct object *object;

	for_each_object(patch, object)
		kvfree(object->funcs);
	kvfree(patch->objects);
	kvfree(patch);
}

static struct patch *patch_new(struct klp_patch *is)
{
	struct patch *patch = core_alloc(1, sizeof(*patch));
	u64 i;

	if (!patch)
		return NULL;
	patch->is = is;
	patch->name = is->mod->name;
	INIT_LIST_HEAD(&patch->list);
	init_completion(&patch->released);
	patch->objects = core_alloc(is->object_count, sizeof(*patch->objects));
	if (!patch->objects) {
		kvfree(patch);
		return NULL;
	}
	for (i = 0; i < is->object_count; i++)
		patch->objects[i].is = &is->objs[i];
	for (i = 0; i < is->object_count; i++) {
		struct object *object = &patch->objects[i];
		struct func *func;

		object->funcs = core_alloc(object->is->func_count, sizeof(*object->funcs));
		if (!object->funcs) {
			patch_free(patch);
			return NULL;
		}
		for_each_func(object, func)
			func->is = &object->is->funcs[func - object->funcs];
	}
	return patch;
}

int hotpatch_register(struct klp_patch *is)
{
	struct patch *patch = patch_new(is);
	int ret;

	if (!patch)
		return -ENOMEM;
	mutex_lock(&patches_mutex);
	list_add_tail(&patch->list, &patches);
	ret = sysfs_add(patch);
	if (!ret)
		ret = patch_enable(patch);
	if (ret) {
		patch->going = true;
		list_del(&patch->list);
	}
	mutex_unlock(&patches_mutex);
	if (ret) {
		sysfs_remove(patch);
		patch_free(patch);
		return ret;
	}
	add_taint(TAINT_LIVEPATCH, LOCKDEP_STILL_OK);
	return 0;
}
EXPORT_SYMBOL_GPL(hotpatch_register);

static struct patch *patch_of(struct klp_patch *is)
{
	struct patch *patch;

	list_for_each_entry(patch, &patches, list) {
		if (patch->is == is)
			return patch;
	}
	return NULL;
}

void hotpatch_unregister(struct klp_patch *is)
{
	struct patch *patch;

	mutex_lock(&patches_mutex);
	patch = patch_of(is);
	if (patch) {
		patch->going = true;
		list_del(&patch->list);
	}
	mutex_unlock(&patches_mutex);
	if (!patch)
		return;
	sysfs_remove(patch);
	patch_free(patch);
	/* What the patched code left to call_rcu() may still lead into the module. */
	rcu_barrier();
}
EXPORT_SYMBOL_GPL(hotpatch_unregister);

static int __init hotpatch_core_init(void)
{
	int ret = symbols_init();

	if (ret)
		return ret;
	ret = sysfs_init();
	if (ret)
		return ret;
	ret = register_module_notifier(&module_notifier);
	if (ret)
		sysfs_exit();
	return ret;
}
module_init(hotpatch_core_init);

/* Patch modules hold this one: there are none left. */
static void __exit hotpatch_core_exit(void)
{
	unregister_module_notifier(&module_notifier);
	sysfs_exit();
	redirect_exit();
	shadow_exit();
}
module_exit(hotpatch_core_exit);

MODULE_DESCRIPTION("Hot patches for kernels without CONFIG_LIVEPATCH");
MODULE_LICENSE("GPL");
