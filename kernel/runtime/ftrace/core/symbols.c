// SPDX-License-Identifier: GPL-2.0-only
/*
 * Symbols that are not exported. kallsyms_lookup_name() is one of them (since
 * 5.7); registering a kprobe by name, which is never armed, tells its address.
 */
#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/string.h>

#include "core.h"

struct kernel_functions kernel;

static unsigned long __init address_of_kallsyms_lookup_name(void)
{
	struct kprobe probe = {
		.symbol_name = "kallsyms_lookup_name",
		.flags = KPROBE_FLAG_DISABLED,
	};
	unsigned long address;

	if (register_kprobe(&probe))
		return 0;
	address = (unsigned long)probe.addr;
	unregister_kprobe(&probe);
	return address;
}

int __init symbols_init(void)
{
	unsigned long (*lookup)(const char *name) = (void *)address_of_kallsyms_lookup_name();
	const struct {
		const char *name;
		void *at;
		bool optional;
	} functions[] = {
		{ "kallsyms_on_each_symbol", &kernel.each_symbol },
		{ "module_kallsyms_on_each_symbol", &kernel.each_module_symbol },
		{ "kallsyms_lookup_size_offset", &kernel.size_offset },
		{ "find_module", &kernel.find_module },
		{ "idle_task", &kernel.idle_task },
		{ "arch_stack_walk", &kernel.stack_walk },
		{ "put_task_stack", &kernel.put_task_stack },
		{ "ftrace_location", &kernel.ftrace_location },
		{ "aarch64_insn_patch_text_nosync", &kernel.patch_text },
		{ "return_to_handler", &kernel.graph_return, true },
		{ "arch_rethook_trampoline", &kernel.rethook_return, true },
		/* Its name before kretprobes went through rethook. */
		{ "__kretprobe_trampoline", &kernel.rethook_return, true },
	};
	int i;

	if (!lookup) {
		pr_err("cannot find kallsyms_lookup_name: no kprobes, or no kallsyms\n");
		return -EOPNOTSUPP;
	}
	for (i = 0; i < ARRAY_SIZE(functions); i++) {
		unsigned long address = lookup(functions[i].name);

		if (address) {
			memcpy(functions[i].at, &address, sizeof(address));
		} else if (!functions[i].optional) {
			pr_err("this kernel has no %s\n", functions[i].name);
			return -EOPNOTSUPP;
		}
	}
	return 0;
}

struct search {
	const char *object;
	struct wanted *wanted;
	size_t count;
};

static bool same_object(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static int take(struct search *search, const char *name, unsigned long address)
{
	struct wanted *wanted;

	for (wanted = search->wanted; wanted < search->wanted + search->count; wanted++) {
		if (!wanted->name || strcmp(wanted->name, name) ||
		    !same_object(wanted->object, search->object))
			continue;
		wanted->count++;
		if (!wanted->sympos || wanted->count == wanted->sympos)
			wanted->address = address;
	}
	return 0;
}

/* The types that callbacks have had: with the symbol's module, and without it. */
static int take_plain(void *search, const char *name, unsigned long address)
{
	return take(search, name, address);
}

static int take_with_module(void *data, const char *name, struct module *module,
			    unsigned long address)
{
	struct search *search = data;

	if (search->object && strcmp(module->name, search->object))
		return 0;
	return take(search, name, address);
}

typedef int take_plain_t(void *, const char *, unsigned long);
typedef int take_with_module_t(void *, const char *, struct module *, unsigned long);

#define HAS_TYPE(function, type) __builtin_types_compatible_p(typeof(function), type)

static void search_vmlinux(struct search *search)
{
	typedef int each_plain_t(take_plain_t *, void *);
	typedef int each_with_module_t(take_with_module_t *, void *);

	BUILD_BUG_ON(!HAS_TYPE(kallsyms_on_each_symbol, each_plain_t) &&
		     !HAS_TYPE(kallsyms_on_each_symbol, each_with_module_t));
	if (HAS_TYPE(kallsyms_on_each_symbol, each_plain_t))
		((each_plain_t *)kernel.each_symbol)(take_plain, search);
	else
		((each_with_module_t *)kernel.each_symbol)(take_with_module, search);
}

static void search_module(struct search *search)
{
	typedef int each_of_t(const char *, take_plain_t *, void *);
	typedef int each_of_with_module_t(const char *, take_with_module_t *, void *);
	typedef int each_with_module_t(take_with_module_t *, void *);

	BUILD_BUG_ON(!HAS_TYPE(module_kallsyms_on_each_symbol, each_of_t) &&
		     !HAS_TYPE(module_kallsyms_on_each_symbol, each_of_with_module_t) &&
		     !HAS_TYPE(module_kallsyms_on_each_symbol, each_with_module_t));
	if (HAS_TYPE(module_kallsyms_on_each_symbol, each_of_t))
		((each_of_t *)kernel.each_module_symbol)(search->object, take_plain, search);
	else if (HAS_TYPE(module_kallsyms_on_each_symbol, each_of_with_module_t))
		((each_of_with_module_t *)kernel.each_module_symbol)(search->object,
								     take_with_module, search);
	else
		((each_with_module_t *)kernel.each_module_symbol)(take_with_module, search);
}

int symbols_find(const char *patch, struct wanted *wanted, size_t count)
{
	size_t i, j;
	int ret = 0;

	for (i = 0; i < count; i++) {
		struct search search = { wanted[i].object, wanted, count };

		for (j = 0; j < i; j++) {
			if (wanted[j].name && same_object(wanted[j].object, search.object))
				break;
		}
		if (j < i || !wanted[i].name)
			continue;
		if (search.object)
			search_module(&search);
		else
			search_vmlinux(&search);
	}
	for (i = 0; i < count; i++) {
		const char *object = wanted[i].object ?: "vmlinux";

		if (!wanted[i].name)
			continue;
		if (wanted[i].count < max(wanted[i].sympos, 1ULL)) {
			pr_err("%s: '%s' (position %llu) is not in %s\n", patch, wanted[i].name,
			       wanted[i].sympos, object);
			ret = -ENOENT;
		} else if (!wanted[i].sympos && wanted[i].count > 1) {
			pr_err("%s: %s has '%s' %u times\n", patch, object, wanted[i].name,
			       wanted[i].count);
			ret = -ENOENT;
		}
	}
	return ret;
}
