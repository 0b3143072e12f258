// SPDX-License-Identifier: GPL-2.0-only
/*
 * The part of every livepatch module that is the same: hands the patch, whose
 * tables the builder writes, to the kernel. Compiled once for each kernel.
 */
#include <linux/livepatch.h>
#include <linux/module.h>

/* Written by the builder: kernel/src/module/livepatch/tables.ts. */
extern struct klp_patch hotpatch_patch;

int init_module(void)
{
	return klp_enable_patch(&hotpatch_patch);
}

/* The kernel lets a livepatch module go only once it is disabled. */
void cleanup_module(void)
{
}

/* What scripts/mod/modpost.c writes for other modules; the builder sets the name. */
struct module __this_module __section(".gnu.linkonce.this_module") = {
	.init = init_module,
	.exit = cleanup_module,
	.arch = MODULE_ARCH_INIT,
};
