// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tells the builder the structures of this very kernel, so that it assumes none.
 * Never loaded: the builder reads section .hotpatch.layout of the object.
 */
#include <linux/livepatch.h>
#include <linux/module.h>
#include <linux/stddef.h>

struct hotpatch_layout {
	char name[56];
	u64 value;
};

#define SIZE(type) { #type, sizeof(type) }
#define MEMBER(type, member) { #type "." #member, offsetof(type, member) }

static const struct hotpatch_layout layout[] __used __section(".hotpatch.layout") = {
	SIZE(struct klp_func),
	MEMBER(struct klp_func, old_name),
	MEMBER(struct klp_func, new_func),
	MEMBER(struct klp_func, old_sympos),
	SIZE(struct klp_object),
	MEMBER(struct klp_object, name),
	MEMBER(struct klp_object, funcs),
	MEMBER(struct klp_object, callbacks.pre_patch),
	MEMBER(struct klp_object, callbacks.post_patch),
	MEMBER(struct klp_object, callbacks.pre_unpatch),
	MEMBER(struct klp_object, callbacks.post_unpatch),
	SIZE(struct klp_patch),
	MEMBER(struct klp_patch, mod),
	MEMBER(struct klp_patch, objs),
	MEMBER(struct klp_patch, states),
	MEMBER(struct klp_patch, replace),
	SIZE(struct klp_state),
	MEMBER(struct klp_state, id),
	MEMBER(struct klp_state, version),
	MEMBER(struct module, name),
#ifdef CONFIG_MODVERSIONS
	SIZE(struct modversion_info),
	MEMBER(struct modversion_info, crc),
	MEMBER(struct modversion_info, name),
#endif
};
