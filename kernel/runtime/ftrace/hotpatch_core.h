/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a hot patch says of itself to hotpatch_core. The builder writes these
 * tables: kernel/src/module/ftrace/tables.ts. Every member has 8 bytes.
 */
#ifndef HOTPATCH_CORE_ABI_H
#define HOTPATCH_CORE_ABI_H

#include <linux/types.h>

struct module;
struct hotpatch_object;

/* A function of the running kernel and the code that takes its place. */
struct hotpatch_func {
	const char *name;
	void *new_func;
	/* Among equal names in the object, from 1; 0 when there is only one. */
	u64 sympos;
};

/*
 * Something of the running kernel that is not exported. Where the kernel's
 * symbol table has no data (CONFIG_KALLSYMS_ALL is off), `reader` is a function
 * that refers to it: at `page` it has an ADRP, at `low` the instruction that
 * adds the lower 12 bits; both count in bytes from its start. What they lead to
 * lies `ahead` bytes behind the symbol.
 */
struct hotpatch_symbol {
	/* NULL: vmlinux; else the name of the module that defines it. */
	const char *object;
	const char *name;
	/* Of `reader` where there is one, else of `name`. */
	u64 sympos;
	const char *reader;
	u64 page;
	u64 low;
	s64 ahead;
};

/* A place in the patch module that takes the address of such a symbol. */
struct hotpatch_reloc {
	void *place;
	/* Index in the patch's symbols. */
	u64 symbol;
	s64 addend;
	/* Number of ELF for the Arm 64-bit Architecture, 5.7. */
	u64 type;
};

/* Called as klp_callbacks are: Documentation/livepatch/callbacks.rst. */
struct hotpatch_callbacks {
	int (*pre_patch)(struct hotpatch_object *object);
	void (*post_patch)(struct hotpatch_object *object);
	void (*pre_unpatch)(struct hotpatch_object *object);
	void (*post_unpatch)(struct hotpatch_object *object);
};

struct hotpatch_object {
	/* NULL: vmlinux; else the module's name. */
	const char *name;
	const struct hotpatch_func *funcs;
	u64 func_count;
	const struct hotpatch_reloc *relocs;
	u64 reloc_count;
	struct hotpatch_callbacks callbacks;
};

struct hotpatch_patch {
	struct module *owner;
	struct hotpatch_object *objects;
	u64 object_count;
	const struct hotpatch_symbol *symbols;
	u64 symbol_count;
	/* Whether it takes over from all patches before it. */
	u64 replace;
};

/* Makes a patch known and enables it. */
int hotpatch_register(const struct hotpatch_patch *patch);
/* Forgets a patch, which is disabled: its module cannot go before. */
void hotpatch_unregister(const struct hotpatch_patch *patch);

#endif
