/* SPDX-License-Identifier: GPL-2.0-only */
/* The names of kpatch for HOTPATCH_SYSCALL_DEFINEx(); see hotpatch.h. */
#ifndef HOTPATCH_KPATCH_SYSCALL_H
#define HOTPATCH_KPATCH_SYSCALL_H

#include <hotpatch.h>

#define KPATCH_SYSCALL_DEFINEx(x, sname, ...) \
	HOTPATCH_SYSCALL_DEFINEx(x, sname, __VA_ARGS__)

#define KPATCH_SYSCALL_DEFINE1(name, ...) HOTPATCH_SYSCALL_DEFINEx(1, _##name, __VA_ARGS__)
#define KPATCH_SYSCALL_DEFINE2(name, ...) HOTPATCH_SYSCALL_DEFINEx(2, _##name, __VA_ARGS__)
#define KPATCH_SYSCALL_DEFINE3(name, ...) HOTPATCH_SYSCALL_DEFINEx(3, _##name, __VA_ARGS__)
#define KPATCH_SYSCALL_DEFINE4(name, ...) HOTPATCH_SYSCALL_DEFINEx(4, _##name, __VA_ARGS__)
#define KPATCH_SYSCALL_DEFINE5(name, ...) HOTPATCH_SYSCALL_DEFINEx(5, _##name, __VA_ARGS__)
#define KPATCH_SYSCALL_DEFINE6(name, ...) HOTPATCH_SYSCALL_DEFINEx(6, _##name, __VA_ARGS__)

#endif
