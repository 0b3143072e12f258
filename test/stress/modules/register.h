/* SPDX-License-Identifier: GPL-2.0-only */
/* A module that is `patch`, for as long as it is loaded. */
static int __init patch_init(void)
{
	return hotpatch_register(&patch);
}
module_init(patch_init);

static void __exit patch_exit(void)
{
	hotpatch_unregister(&patch);
}
module_exit(patch_exit);

MODULE_LICENSE("GPL");
