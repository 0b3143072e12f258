/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What hotpatch_core offers to patches for kernels without CONFIG_LIVEPATCH, by
 * the names that livepatch has for the same (include/linux/livepatch.h); and
 * what a patch says of itself, in tables that the builder writes
 * (kernel/src/module/ftrace/tables.ts). Every member has 8 bytes.
 */
#ifndef HOTPATCH_CORE_ABI_H
#define HOTPATCH_CORE_ABI_H

#include <linux/types.h>

struct klp_object;
struct module;

/* A function of the running kernel and the code that takes its place. */
struct klp_func {
	const char *old_name;
	void *new_func;
	/* Among equal names in the object, from 1; 0 when there is only one. */
	u64 old_sympos;
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

/* Documentation/livepatch/callbacks.rst */
struct klp_callbacks {
	int (*pre_patch)(struct klp_object *object);
	void (*post_patch)(struct klp_object *object);
	void (*pre_unpatch)(struct klp_object *object);
	void (*post_unpatch)(struct klp_object *object);
};

struct klp_object {
	/* NULL: vmlinux; else the module's name. */
	const char *name;
	const struct klp_func *funcs;
	u64 func_count;
	const struct hotpatch_reloc *relocs;
	u64 reloc_count;
	struct klp_callbacks callbacks;
	/* Set by the core: the module, while it is there; NULL for vmlinux. */
	struct module *mod;
};

/* Documentation/livepatch/system-state.rst */
struct klp_state {
	unsigned long id;
	unsigned int version;
	void *data;
};

struct klp_patch {
	struct module *mod;
	struct klp_object *objs;
	u64 object_count;
	const struct hotpatch_symbol *symbols;
	u64 symbol_count;
	struct klp_state *states;
	u64 state_count;
	/* Whether it takes over from all patches before it. */
	u64 replace;
};

/* Makes a patch known and enables it. */
int hotpatch_register(struct klp_patch *patch);
/* Forgets a patch, which is disabled: its module cannot go before. */
void hotpatch_unregister(struct klp_patch *patch);

struct klp_state *klp_get_state(struct klp_patch *patch, unsigned long id);
struct klp_state *klp_get_prev_state(unsigned long id);

/* Documentation/livepatch/shadow-vars.rst */
typedef int (*klp_shadow_ctor_t)(void *obj, void *shadow_data, void *ctor_data);
typedef void (*klp_shadow_dtor_t)(void *obj, void *shadow_data);

void *klp_shadow_get(void *obj, unsigned long id);
void *klp_shadow_alloc(void *obj, unsigned long id, size_t size, gfp_t gfp_flags,
		       klp_shadow_ctor_t ctor, void *ctor_data);
void *klp_shadow_get_or_alloc(void *obj, unsigned long id, size_t size, gfp_t gfp_flags,
			      klp_shadow_ctor_t ctor, void *ctor_data);
void klp_shadow_free(void *obj, unsigned long id, klp_shadow_dtor_t dtor);
void klp_shadow_free_all(unsigned long id, klp_shadow_dtor_t dtor);

#endif
