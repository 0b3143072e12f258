/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For authors of hot patches: what a patch can tell the build, and helpers for
 * code that runs in a patch. The build finds it as <hotpatch.h>; nothing has to
 * be copied into the kernel tree. It is read with the patched source only.
 *
 * Marks leave notes in sections .discard.hotpatch.*, which are read by
 * kernel/src/objdiff/marks.ts and are in no module. They add no code and keep
 * no function alive but the callbacks.
 */
#ifndef HOTPATCH_H
#define HOTPATCH_H

#include <linux/compiler.h>
#include <linux/livepatch.h>
#include <linux/types.h>

/* Kernels without livepatch have the same from our own core, by the same names. */
#ifndef CONFIG_LIVEPATCH
#include <hotpatch_core.h>
#endif

struct klp_object;
struct klp_patch;

#define __HOTPATCH_NOTE(kind) \
	__used __attribute__((__section__(".discard.hotpatch." kind)))

/*
 * Callbacks of the object (vmlinux or a module) that the file is part of, one of
 * each kind for an object (Documentation/livepatch/callbacks.rst):
 *
 *	int before(struct klp_object *obj);	anything but 0 stops the patch
 *	void other(struct klp_object *obj);	all others
 *
 * A pre-patch callback is undone by the post-unpatch one, a post-patch callback
 * by the pre-unpatch one.
 */
#define __HOTPATCH_CALLBACK(kind, result, fn)				\
	static result (*const __UNIQUE_ID(hotpatch_callback))(struct klp_object *) \
		__HOTPATCH_NOTE("callback." kind) = fn;

#define HOTPATCH_PRE_PATCH_CALLBACK(fn) \
	__HOTPATCH_CALLBACK("pre_patch", int, fn)
#define HOTPATCH_POST_PATCH_CALLBACK(fn) \
	__HOTPATCH_CALLBACK("post_patch", void, fn)
#define HOTPATCH_PRE_UNPATCH_CALLBACK(fn) \
	__HOTPATCH_CALLBACK("pre_unpatch", void, fn)
#define HOTPATCH_POST_UNPATCH_CALLBACK(fn) \
	__HOTPATCH_CALLBACK("post_unpatch", void, fn)

#define __HOTPATCH_TEXT(text)						\
	static const char __UNIQUE_ID(hotpatch_text)[]			\
		__HOTPATCH_NOTE("texts") = text;

/*
 * Leaves the change of a function, or of everything in a section, out of the
 * patch: the running kernel keeps what it has. The review says so.
 */
#define HOTPATCH_IGNORE_FUNCTION(fn)	__HOTPATCH_TEXT("ignore-function " #fn)
#define HOTPATCH_IGNORE_SECTION(name)	__HOTPATCH_TEXT("ignore-section " name)

/*
 * Overrules what the build refuses of a function, variable or type, such as
 * HOTPATCH_FORCE(struct page, "the new member is only used in new objects").
 * What is refused is not carried, and stays in the review with the reason.
 */
#define HOTPATCH_FORCE(symbol, reason)	__HOTPATCH_TEXT("force " #symbol ": " reason)

/*
 * A state of the system that the patch changes (Documentation/livepatch/
 * system-state.rst). The id must not be 0. Its data is found through
 * hotpatch_state(id); what a patch that is being replaced left through
 * hotpatch_previous_state(id).
 */
#define HOTPATCH_STATE(id, version)					\
	static const u64 __UNIQUE_ID(hotpatch_state)[]			\
		__HOTPATCH_NOTE("states") = { (id), (version) };

/* Written by the builder: the very patch that this code is part of. */
extern struct klp_patch hotpatch_patch;

#define hotpatch_state(id)		klp_get_state(&hotpatch_patch, id)
#define hotpatch_previous_state(id)	klp_get_prev_state(id)

/*
 * Shadow variables: values of a type that belong to an object without being in
 * it, found by the object's address and an id that no other patch uses for
 * another purpose (Documentation/livepatch/shadow-vars.rst). Whoever frees the
 * object has to free them; a post-unpatch callback frees what is left.
 */
#define hotpatch_shadow(object, id, type) \
	((type *)klp_shadow_get((void *)(object), id))
#define hotpatch_shadow_or_new(object, id, type, gfp)			\
	((type *)klp_shadow_get_or_alloc((void *)(object), id, sizeof(type), \
					 gfp, NULL, NULL))
#define hotpatch_shadow_free(object, id) \
	klp_shadow_free((void *)(object), id, NULL)
#define hotpatch_shadow_free_all(id) \
	klp_shadow_free_all(id, NULL)

/*
 * In the place of static_call(name) where its key belongs to a module, which a
 * patch cannot hook itself to: calls through the key's pointer.
 */
#define HOTPATCH_STATIC_CALL(name) \
	((typeof(STATIC_CALL_TRAMP(name)) *)(STATIC_CALL_KEY(name).func))

/*
 * In the place of SYSCALL_DEFINEx(x, _name, ...): the body becomes a function of
 * the patch's own, so that nothing depends on whether the compiler inlined the
 * old one, which as an inline function cannot be traced.
 */
#define HOTPATCH_SYSCALL_DEFINEx(x, sname, ...)				\
	static long __hotpatch_do_sys##sname(__MAP(x, __SC_DECL, __VA_ARGS__)); \
	SYSCALL_DEFINEx(x, sname, __VA_ARGS__)				\
	{								\
		return __hotpatch_do_sys##sname(			\
			__MAP(x, __SC_ARGS, __VA_ARGS__));		\
	}								\
	static noinline long						\
	__hotpatch_do_sys##sname(__MAP(x, __SC_DECL, __VA_ARGS__))

#define HOTPATCH_SYSCALL_DEFINE1(name, ...) HOTPATCH_SYSCALL_DEFINEx(1, _##name, __VA_ARGS__)
#define HOTPATCH_SYSCALL_DEFINE2(name, ...) HOTPATCH_SYSCALL_DEFINEx(2, _##name, __VA_ARGS__)
#define HOTPATCH_SYSCALL_DEFINE3(name, ...) HOTPATCH_SYSCALL_DEFINEx(3, _##name, __VA_ARGS__)
#define HOTPATCH_SYSCALL_DEFINE4(name, ...) HOTPATCH_SYSCALL_DEFINEx(4, _##name, __VA_ARGS__)
#define HOTPATCH_SYSCALL_DEFINE5(name, ...) HOTPATCH_SYSCALL_DEFINEx(5, _##name, __VA_ARGS__)
#define HOTPATCH_SYSCALL_DEFINE6(name, ...) HOTPATCH_SYSCALL_DEFINEx(6, _##name, __VA_ARGS__)

#endif
