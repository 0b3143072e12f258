import type { KernelConfig } from "../../tree/config.js";

/** What becomes of an annotated function or variable once the kernel or its module is up. */
export interface InitAnnotation {
  /** As written: `__init`. */
  readonly word: string;
  /** `unknown`: an option decides, and the configuration is not there. */
  readonly fate: "freed" | "unknown";
  /** The option that would keep it. */
  readonly option?: string;
}

/**
 * Annotations that stand for `.init` sections, with the options that keep what they mark (include/linux/init.h,
 * module.h, memblock.h, acpi.h, numa.h, include/net/net_namespace.h; for `.meminit` sections MEM_KEEP in
 * include/asm-generic/vmlinux.lds.h).
 */
const INIT = new Map<string, readonly string[]>([
  ["__init", []],
  ["__initdata", []],
  ["__initconst", []],
  ["__init_or_module", ["CONFIG_MODULES"]],
  ["__initdata_or_module", ["CONFIG_MODULES"]],
  ["__initconst_or_module", ["CONFIG_MODULES"]],
  ["__net_init", ["CONFIG_NET_NS"]],
  ["__net_initdata", ["CONFIG_NET_NS"]],
  ["__net_initconst", ["CONFIG_NET_NS"]],
  ["__meminit", ["CONFIG_MEMORY_HOTPLUG"]],
  ["__meminitdata", ["CONFIG_MEMORY_HOTPLUG"]],
  ["__meminitconst", ["CONFIG_MEMORY_HOTPLUG"]],
  ["__init_memblock", ["CONFIG_ARCH_KEEP_MEMBLOCK", "CONFIG_MEMORY_HOTPLUG"]],
  ["__initdata_memblock", ["CONFIG_ARCH_KEEP_MEMBLOCK", "CONFIG_MEMORY_HOTPLUG"]],
  ["__init_or_acpilib", ["CONFIG_ACPI_TABLE_LIB"]],
  ["__initdata_or_acpilib", ["CONFIG_ACPI_TABLE_LIB"]],
  ["__initdata_or_meminfo", ["CONFIG_NUMA_KEEP_MEMINFO"]],
]);

/** The first of some annotations that puts what it marks where memory is given back, unless the configuration keeps it. */
export function initAnnotation(
  words: readonly string[],
  config: KernelConfig | undefined,
): InitAnnotation | undefined {
  for (const word of words) {
    if (/"\.init\b/.test(word)) return { word: "placed in an .init section", fate: "freed" };
    const keeping = INIT.get(word);
    if (!keeping) continue;
    const [option] = keeping;
    if (option === undefined) return { word, fate: "freed" };
    if (!config) return { word, fate: "unknown", option };
    if (!keeping.some((name) => config.value(name) !== undefined)) return { word, fate: "freed", option };
  }
  return undefined;
}

/** The first annotation that marks code or data as needed only while a module goes (include/linux/init.h). */
export function exitAnnotation(words: readonly string[]): string | undefined {
  return words.find((word) => word === "__exit" || word === "__exitdata");
}

/** Macros that have a function called once while the kernel boots or a module is loaded (include/linux/init.h, module.h). */
export const INITCALL =
  /^(?:module_init|\w+_initcall(?:_sync)?|__initcall|__define_initcall|__setup|early_param|__setup_param)$/;

/** Macros that have a function called when a module goes (include/linux/module.h). */
export const EXITCALL = /^(?:module_exit|__exitcall)$/;

/** What can be an annotation in a function's head. */
export function wordsOfHead(head: string): string[] {
  return head.match(/\b(?:__\w+|notrace|noinstr|noinline|inline)\b/g) ?? [];
}
