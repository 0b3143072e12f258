import type { SourceTree } from "./source-tree.js";

/**
 * What rules may ask of the tree. Everything is gathered beforehand, by one batched search (`gatherFacts`), so that
 * rules are plain functions. All of it describes the tree with the patch applied, but for files that the patch removes.
 */
export interface TreeFacts {
  readonly tree: SourceTree;
  /** Whether and into what a `.c` file is built. */
  build(path: string): UnitBuild;
  /**
   * Where a name stands in C code, comments and strings left out. Only names that were gathered can be asked for: those of
   * changed functions, types, data, macros, enumerators, members of ops tables (see `wordsOf` in `gather-facts.ts`).
   * @param name the bare identifier: `vm_area_struct`, without `struct`
   */
  uses(name: string): Uses;
  /** How far a changed header reaches. */
  reach(header: string): HeaderReach;
  /** Export of a symbol in Module.symvers: the module (or `vmlinux`) that exports it, its namespace. */
  exported(symbol: string): { readonly module: string; readonly namespace: string } | undefined;
}

/** Thrown by facts that are asked for what nobody has looked up. */
export class NotGathered extends Error {
  override readonly name = "NotGathered";
}

export interface UnitBuild {
  /** `unknown`: no configuration, or a makefile that cannot be read by its text. */
  readonly into: "vmlinux" | "module" | "library" | "nothing" | "unknown";
  /** Name of the module, underscores for hyphens, where `into` is `module`. */
  readonly module?: string;
  /** The option that keeps it out, or that decides, where the makefile's text tells; with `CONFIG_`. */
  readonly option?: string;
  /** Why functions of the file have no ftrace entry, such as `CFLAGS_REMOVE_trace.o` in kernel/trace/Makefile. */
  readonly untraced?: string;
}

export interface Uses {
  /** In the order of files and lines. */
  readonly places: readonly Use[];
  /** How many there are in all; `places` holds the first of them when there are very many. */
  readonly count: number;
}

export interface Use {
  readonly file: string;
  /** Counts from 1. */
  readonly line: number;
  readonly column: number;
  /**
   * call: called by name; address: a function's name used as a value; definition; declaration: prototype or extern;
   * type: named as a type; other: any other identifier; unread: the file was not parsed (too many) or has errors there.
   */
  readonly kind: "call" | "address" | "definition" | "declaration" | "type" | "other" | "unread";
  /** The function (or macro) that it is in. */
  readonly within?: string;
  /** The name of the call that it is an argument of, directly or behind `&`: `kthread_run`, `INIT_WORK`. */
  readonly argumentOf?: string;
  /** The member that it initialises or is assigned to: `.read = my_read` gives `read`. */
  readonly member?: string;
  /** Whether the file is one that the patch changes (the place is then that of the patched text). */
  readonly inPatch: boolean;
}

export interface HeaderReach {
  /** Units (`.c` files) that include it, over other headers too; those that the configuration leaves out are counted when that is not known. */
  readonly units: number;
  /** True when counting stopped at a limit: there are at least so many. */
  readonly atLeast: boolean;
  /** Some of them. */
  readonly examples: readonly string[];
}
