// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shadow variables: values that belong to an object of the kernel without being
 * in it. Written anew after what Documentation/livepatch/shadow-vars.rst
 * promises, for kernels that have it in kernel/livepatch/ only.
 */
#include <linux/hashtable.h>
#include <linux/overflow.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "core.h"

struct shadow {
	struct hlist_node node;
	struct rcu_head rcu;
	void *obj;
	unsigned long id;
	char data[] __aligned(8);
};

static DEFINE_HASHTABLE(shadows, 12);
/* For whoever changes the table; patched code reads it anywhere. */
static DEFINE_SPINLOCK(shadows_lock);

static struct shadow *find(void *obj, unsigned long id)
{
	struct shadow *shadow;

	hash_for_each_possible_rcu(shadows, shadow, node, (unsigned long)obj,
				   lockdep_is_held(&shadows_lock)) {
		if (shadow->obj == obj && shadow->id == id)
			return shadow;
	}
	return NULL;
}

void *klp_shadow_get(void *obj, unsigned long id)
{
	struct shadow *shadow;

	rcu_read_lock();
	shadow = find(obj, id);
	rcu_read_unlock();
	return shadow ? shadow->data : NULL;
}
EXPORT_SYMBOL_GPL(klp_shadow_get);

/* The variable that is there, or the new one, which is then the table's. */
static struct shadow *find_or_add(struct shadow *new, klp_shadow_ctor_t ctor, void *ctor_data)
{
	struct shadow *shadow;
	unsigned long flags;
	int ret = 0;

	spin_lock_irqsave(&shadows_lock, flags);
	shadow = find(new->obj, new->id);
	if (!shadow && ctor)
		ret = ctor(new->obj, new->data, ctor_data);
	if (!shadow && !ret) {
		hash_add_rcu(shadows, &new->node, (unsigned long)new->obj);
		shadow = new;
	}
	spin_unlock_irqrestore(&shadows_lock, flags);
	if (ret)
		pr_err("shadow variable %lx cannot be constructed (%d)\n", new->id, ret);
	return shadow;
}

static void *get_or_alloc(void *obj, unsigned long id, size_t size, gfp_t gfp,
			  klp_shadow_ctor_t ctor, void *ctor_data, bool must_be_new)
{
	void *data = klp_shadow_get(obj, id);
	struct shadow *shadow = NULL, *new;

	if (!data) {
		new = may_fail() ? NULL : kzalloc(struct_size(new, data, size), gfp);
		if (!new)
			return NULL;
		new->obj = obj;
		new->id = id;
		shadow = find_or_add(new, ctor, ctor_data);
		if (shadow != new)
			kfree(new);
		if (!shadow || shadow == new)
			return shadow ? shadow->data : NULL;
		/* Somebody else was faster. */
		data = shadow->data;
	}
	if (WARN(must_be_new, "shadow variable %lx of %p is there already\n", id, obj))
		return NULL;
	return data;
}

void *klp_shadow_alloc(void *obj, unsigned long id, size_t size, gfp_t gfp_flags,
		       klp_shadow_ctor_t ctor, void *ctor_data)
{
	return get_or_alloc(obj, id, size, gfp_flags, ctor, ctor_data, true);
}
EXPORT_SYMBOL_GPL(klp_shadow_alloc);

void *klp_shadow_get_or_alloc(void *obj, unsigned long id, size_t size, gfp_t gfp_flags,
			      klp_shadow_ctor_t ctor, void *ctor_data)
{
	return get_or_alloc(obj, id, size, gfp_flags, ctor, ctor_data, false);
}
EXPORT_SYMBOL_GPL(klp_shadow_get_or_alloc);

static void drop(struct shadow *shadow, klp_shadow_dtor_t dtor)
{
	hash_del_rcu(&shadow->node);
	if (dtor)
		dtor(shadow->obj, shadow->data);
	kfree_rcu(shadow, rcu);
}

void klp_shadow_free(void *obj, unsigned long id, klp_shadow_dtor_t dtor)
{
	struct shadow *shadow;
	unsigned long flags;

	spin_lock_irqsave(&shadows_lock, flags);
	shadow = find(obj, id);
	if (shadow)
		drop(shadow, dtor);
	spin_unlock_irqrestore(&shadows_lock, flags);
}
EXPORT_SYMBOL_GPL(klp_shadow_free);

void klp_shadow_free_all(unsigned long id, klp_shadow_dtor_t dtor)
{
	struct shadow *shadow;
	struct hlist_node *next;
	unsigned long flags;
	int bucket;

	spin_lock_irqsave(&shadows_lock, flags);
	hash_for_each_safe(shadows, bucket, next, shadow, node) {
		if (shadow->id == id)
			drop(shadow, dtor);
	}
	spin_unlock_irqrestore(&shadows_lock, flags);
}
EXPORT_SYMBOL_GPL(klp_shadow_free_all);

void shadow_exit(void)
{
	struct shadow *shadow;
	struct hlist_node *next;
	int bucket;

	hash_for_each_safe(shadows, bucket, next, shadow, node)
		drop(shadow, NULL);
}
