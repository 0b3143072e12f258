/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The names that patches written for kpatch use, under the header's name that
 * they include. What each does is said in hotpatch.h.
 */
#ifndef HOTPATCH_KPATCH_MACROS_H
#define HOTPATCH_KPATCH_MACROS_H

#include <linux/jiffies.h>
#include <linux/printk.h>
#include <hotpatch.h>
#include <kpatch-syscall.h>

typedef struct klp_object patch_object;

#define KPATCH_PRE_PATCH_CALLBACK(fn)		HOTPATCH_PRE_PATCH_CALLBACK(fn)
#define KPATCH_POST_PATCH_CALLBACK(fn)		HOTPATCH_POST_PATCH_CALLBACK(fn)
#define KPATCH_PRE_UNPATCH_CALLBACK(fn)		HOTPATCH_PRE_UNPATCH_CALLBACK(fn)
#define KPATCH_POST_UNPATCH_CALLBACK(fn)	HOTPATCH_POST_UNPATCH_CALLBACK(fn)

#define KPATCH_IGNORE_FUNCTION(fn)	__HOTPATCH_TEXT("ignore-function " #fn)
#define KPATCH_IGNORE_SECTION(name)	__HOTPATCH_TEXT("ignore-section " name)

/* Livepatch has nothing like it; the review says so. */
#define KPATCH_FORCE_UNSAFE(fn)		__HOTPATCH_TEXT("force-unsafe " #fn)

#define KPATCH_STATIC_CALL(name)	HOTPATCH_STATIC_CALL(name)

/* printk() is __cold: code on the way to it is moved out of line. Not so behind a condition that is always true. */
#define KPATCH_PRINTK(fmt, ...) \
	({ if (jiffies) printk(fmt, ##__VA_ARGS__); })
#define KPATCH_PRINTK_DEFERRED(fmt, ...) \
	({ if (jiffies) printk_deferred(fmt, ##__VA_ARGS__); })

#endif
