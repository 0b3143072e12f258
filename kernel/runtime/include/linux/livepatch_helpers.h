/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The names that patches written for the kernel's own klp-build use. Kernels
 * since 6.19 have this header themselves; theirs goes before this one.
 */
#ifndef HOTPATCH_LIVEPATCH_HELPERS_H
#define HOTPATCH_LIVEPATCH_HELPERS_H

#include <linux/syscalls.h>
#include <hotpatch.h>

#define KLP_PRE_PATCH_CALLBACK(fn)	HOTPATCH_PRE_PATCH_CALLBACK(fn)
#define KLP_POST_PATCH_CALLBACK(fn)	HOTPATCH_POST_PATCH_CALLBACK(fn)
#define KLP_PRE_UNPATCH_CALLBACK(fn)	HOTPATCH_PRE_UNPATCH_CALLBACK(fn)
#define KLP_POST_UNPATCH_CALLBACK(fn)	HOTPATCH_POST_UNPATCH_CALLBACK(fn)

#define KLP_STATIC_CALL(name)		HOTPATCH_STATIC_CALL(name)

#define KLP_SYSCALL_DEFINEx(x, sname, ...) \
	HOTPATCH_SYSCALL_DEFINEx(x, sname, __VA_ARGS__)

#define KLP_SYSCALL_DEFINE1(name, ...) HOTPATCH_SYSCALL_DEFINEx(1, _##name, __VA_ARGS__)
#define KLP_SYSCALL_DEFINE2(name, ...) HOTPATCH_SYSCALL_DEFINEx(2, _##name, __VA_ARGS__)
#define KLP_SYSCALL_DEFINE3(name, ...) HOTPATCH_SYSCALL_DEFINEx(3, _##name, __VA_ARGS__)
#define KLP_SYSCALL_DEFINE4(name, ...) HOTPATCH_SYSCALL_DEFINEx(4, _##name, __VA_ARGS__)
#define KLP_SYSCALL_DEFINE5(name, ...) HOTPATCH_SYSCALL_DEFINEx(5, _##name, __VA_ARGS__)
#define KLP_SYSCALL_DEFINE6(name, ...) HOTPATCH_SYSCALL_DEFINEx(6, _##name, __VA_ARGS__)

#endif
