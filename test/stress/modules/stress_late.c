// SPDX-License-Identifier: GPL-2.0-only
/*
 * A patch of the kernel and of a module, with a symbol in each that the core has to
 * link: one that is not exported, and one that comes with the module.
 */
#include <linux/compiler.h>
#include <linux/elf.h>
#include <linux/module.h>

#include <hotpatch_core.h>

static unsigned long kernels, victims;

static noinline int new_value(int base)
{
	int (*traced)(int base) = (void *)READ_ONCE(victims);

	return READ_ONCE(kernels) ? traced(base) + 2 : -1;
}

static const struct hotpatch_symbol symbols[] = {
	{ "victim", "victim_traced" },
	{ NULL, "kallsyms_lookup_name" },
};
static const struct hotpatch_reloc of_victim[] = { { &victims, 0, 0, R_AARCH64_ABS64 } };
static const struct hotpatch_reloc of_kernel[] = { { &kernels, 1, 0, R_AARCH64_ABS64 } };
static const struct klp_func funcs[] = { { "victim_value", new_value } };
static struct klp_object objects[] = {
	{ NULL, .relocs = of_kernel, .reloc_count = 1 },
	{ "victim", funcs, 1, of_victim, 1 },
};
static struct klp_patch patch = {
	THIS_MODULE, objects, ARRAY_SIZE(objects), symbols, ARRAY_SIZE(symbols),
};

#include "register.h"
