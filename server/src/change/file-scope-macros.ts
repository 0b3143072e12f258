/** What a macro used at file scope is for, where the source witness knows. */
export type MacroPurpose =
  | "export"
  | "trace-event"
  | "module"
  | "module-text"
  | "declares"
  | "checks"
  | "hot-patch";

/** First match wins. */
const PURPOSES: readonly (readonly [RegExp, MacroPurpose])[] = [
  // include/linux/export.h, percpu-defs.h, tracepoint.h, static_call.h.
  [/^EXPORT_/, "export"],
  [/^DECLARE_TRACEPOINT$/, "declares"],
  // include/linux/tracepoint.h, include/trace/stages; subsystems wrap these: DEFINE_NFSD_IO_EVENT.
  [/^(?:TRACE|DEFINE|DECLARE)_(?:\w+_)?(?:EVENT|TRACE)(?:_\w+)?$/, "trace-event"],
  [/^TRACE_(?:DEFINE_ENUM|DEFINE_SIZEOF|MAKE_SYSTEM_STR)$/, "trace-event"],
  // include/linux/module.h: what only people read.
  [/^MODULE_(?:AUTHOR|DESCRIPTION|VERSION|PARM_DESC|INFO|IMPORT_NS)$/, "module-text"],
  [/^MODULE_/, "module"],
  // include/linux/module.h, moduleparam.h, init.h, and the drivers' own: module_pci_driver, builtin_platform_driver.
  [/^(?:module|builtin)_\w+$|^(?:__setup|__setup_param|early_param)$/, "module"],
  [/^(?:core|subsys|device|late|arch|fs|postcore)_param(?:_\w+)?$/, "module"],
  [/^(?:\w+_)?initcall(?:_\w+)?$/, "module"],
  [/^DECLARE_(?:STATIC_KEY_\w+|STATIC_CALL|PER_CPU\w*)$|^INDIRECT_CALLABLE_DECLARE\w*$/, "declares"],
  // include/linux/cleanup.h: inline functions.
  [/^DEFINE_(?:FREE|CLASS|GUARD|GUARD_COND|LOCK_GUARD_[01](?:_COND)?)$|^EXTEND_CLASS$/, "declares"],
  // kernel/runtime/include/hotpatch.h, and the same of kpatch and klp-build.
  [/^(?:HOTPATCH|KPATCH|KLP)_(?:PRE|POST)_(?:PATCH|UNPATCH)_CALLBACK$/, "hot-patch"],
  [
    /^(?:HOTPATCH_(?:IGNORE_FUNCTION|IGNORE_SECTION|FORCE|STATE)|KPATCH_(?:IGNORE_\w+|FORCE_UNSAFE))$/,
    "hot-patch",
  ],
  [/^_?[Ss]tatic_assert$|^BUILD_BUG/, "checks"],
];

/** @param macro such as `EXPORT_SYMBOL_GPL`; @returns undefined for one that is not known */
export function purposeOfMacro(macro: string): MacroPurpose | undefined {
  return PURPOSES.find(([name]) => name.test(macro))?.[1];
}
