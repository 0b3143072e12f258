// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tells the builder the structures of this very kernel, so that it assumes none.
 * Never loaded: the builder reads section .hotpatch.layout of the object.
 */
#include <linux/module.h>
#include <linux/stddef.h>

struct hotpatch_layout {
	char name[56];
	u64 value;
};

#define SIZE(type) { #type, sizeof(type) }
#define MEMBER(type, member) { #type "." #member, offsetof(type, member) }

static const struct hotpatch_layout layout[] __used __section(".hotpatch.layout") = {
	MEMBER(struct module, name),
#ifdef CONFIG_MODVERSIONS
	SIZE(struct modversion_info),
	MEMBER(struct modversion_info, crc),
	MEMBER(struct modversion_info, name),
#endif
};
