// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/hotpatch/PATCH/{enabled,transition,replaces}, below it a folder
 * for each object, and in that one for each function, FUNCTION,SYMPOS: what
 * Documentation/ABI/testing/sysfs-kernel-livepatch has for livepatch.
 */
#include <linux/kernel.h>
#include <linux/sysfs.h>

#include "core.h"

static struct kobject *root;

static struct patch *patch_of(struct kobject *kobj)
{
	return container_of(kobj, struct patch, kobj);
}

static ssize_t enabled_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", READ_ONCE(patch_of(kobj)->enabled));
}

static ssize_t enabled_store(struct kobject *kobj, struct kobj_attribute *attr, const char *buf,
			     size_t count)
{
	bool enabled;
	int ret = kstrtobool(buf, &enabled);

	if (ret)
		return ret;
	mutex_lock(&patches_mutex);
	ret = enabled ? patch_enable(patch_of(kobj)) : patch_disable(patch_of(kobj));
	mutex_unlock(&patches_mutex);
	return ret ?: count;
}

static ssize_t transition_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", READ_ONCE(patch_changing) == patch_of(kobj));
}

static ssize_t replaces_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", patch_of(kobj)->is->replace ? 1 : 0);
}

static struct kobj_attribute enabled = __ATTR_RW(enabled);
static struct kobj_attribute transition = __ATTR_RO(transition);
static struct kobj_attribute replaces = __ATTR_RO(replaces);
static struct attribute *patch_attrs[] = {
	&enabled.attr, &transition.attr, &replaces.attr, NULL,
};
ATTRIBUTE_GROUPS(patch);

static ssize_t patched_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	struct object *object = container_of(kobj, struct object, kobj);

	return sysfs_emit(buf, "%d\n", READ_ONCE(object->prepared));
}

static struct kobj_attribute patched = __ATTR_RO(patched);
static struct attribute *object_attrs[] = { &patched.attr, NULL };
ATTRIBUTE_GROUPS(object);

/* A folder holds the one above it: the patch's is released last. */
static void patch_released(struct kobject *kobj)
{
	complete(&patch_of(kobj)->released);
}

static void part_released(struct kobject *kobj)
{
}

static struct kobj_type patch_type = {
	.release = patch_released,
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = patch_groups,
};

static struct kobj_type object_type = {
	.release = part_released,
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = object_groups,
};

static struct kobj_type func_type = {
	.release = part_released,
	.sysfs_ops = &kobj_sysfs_ops,
};

int sysfs_add(struct patch *patch)
{
	struct object *object;
	struct func *func;
	int ret;

	kobject_init(&patch->kobj, &patch_type);
	ret = may_fail() ? -ENOMEM : kobject_add(&patch->kobj, root, "%s", patch->name);
	if (ret)
		return ret;
	for_each_object(patch, object) {
		kobject_init(&object->kobj, &object_type);
		ret = may_fail() ? -ENOMEM : kobject_add(&object->kobj, &patch->kobj, "%s",
							 object->is->name ?: "vmlinux");
		if (ret)
			return ret;
		for_each_func(object, func) {
			kobject_init(&func->kobj, &func_type);
			ret = may_fail() ? -ENOMEM : kobject_add(&func->kobj, &object->kobj,
								 "%s,%llu", func->is->old_name,
								 func->is->old_sympos ?: 1);
			if (ret)
				return ret;
		}
	}
	return 0;
}

static void remove(struct kobject *kobj)
{
	if (!kobj->state_initialized)
		return;
	if (kobj->state_in_sysfs)
		kobject_del(kobj);
	kobject_put(kobj);
}

void sysfs_remove(struct patch *patch)
{
	struct object *object;
	struct func *func;

	for_each_object(patch, object) {
		for_each_func(object, func)
			remove(&func->kobj);
		remove(&object->kobj);
	}
	remove(&patch->kobj);
	wait_for_completion(&patch->released);
}

int sysfs_init(void)
{
	root = kobject_create_and_add("hotpatch", kernel_kobj);
	return root ? 0 : -ENOMEM;
}

void sysfs_exit(void)
{
	kobject_put(root);
}
