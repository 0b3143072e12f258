// SPDX-License-Identifier: GPL-2.0-only
/*
 * The part of every patch module that is the same: hands the patch, whose
 * tables the builder writes, to hotpatch_core. Compiled once for each kernel.
 */
#include <linux/module.h>

#include "../hotpatch_core.h"

/* Written by the builder: kernel/src/module/ftrace/tables.ts. */
extern struct klp_patch hotpatch_patch;

int init_module(void)
{
	return hotpatch_register(&hotpatch_patch);
}

/* An enabled patch holds its module: this one is disabled. */
void cleanup_module(void)
{
	hotpatch_unregister(&hotpatch_patch);
}

/* What scripts/mod/modpost.c writes for other modules; the builder sets the name. */
struct module __this_module __section(".gnu.linkonce.this_module") = {
	.init = init_module,
	.exit = cleanup_module,
	.arch = MODULE_ARCH_INIT,
};
