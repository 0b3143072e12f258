// SPDX-License-Identifier: GPL-2.0-only
#define VALUE 9
#define CALLBACKS { .pre_patch = fails, .post_unpatch = never }
#include <linux/errno.h>
#include <linux/printk.h>

struct klp_object;

static int fails(struct klp_object *object)
{
	return -ENOSPC;
}

static void never(struct klp_object *object)
{
	pr_err("stress: a callback is undone that has failed\n");
}

#include "patch.h"
