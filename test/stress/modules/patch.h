/* SPDX-License-Identifier: GPL-2.0-only */
/* A patch of the victim by hand; VALUE is what its functions then give. */
#include <linux/delay.h>
#include <linux/module.h>

#include <hotpatch_core.h>

static noinline int new_value(int base)
{
	barrier();
	return base + VALUE;
}

static __maybe_unused noinline int new_sleep(unsigned int ms)
{
	msleep_interruptible(ms);
	return VALUE;
}

#ifndef FUNCS
#define FUNCS { "victim_value", new_value, 0 }, { "victim_sleep", new_sleep, 0 }
#endif
#ifndef CALLBACKS
#define CALLBACKS {}
#endif
#ifndef REPLACE
#define REPLACE 0
#endif

static const struct klp_func funcs[] = { FUNCS };
static struct klp_object objects[] = {
	{ "victim", funcs, ARRAY_SIZE(funcs), .callbacks = CALLBACKS },
};
#ifdef STATES
static struct klp_state states[] = { STATES };
#endif
static struct klp_patch patch = {
	THIS_MODULE, objects, ARRAY_SIZE(objects), .replace = REPLACE,
#ifdef STATES
	.states = states, .state_count = ARRAY_SIZE(states),
#endif
};

#include "register.h"
