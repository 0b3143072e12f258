import type { Arch } from "@kernel-hotpatch/kernel/profile/profile";
import type { KernelConfig } from "./config.js";

/** The kernel tree that a patch is judged against, as it was before the patch. Only read, never indexed as a whole. */
export interface SourceTree {
  /** For messages: a profile's id, such as `debian/6.1.0-56-amd64`, or `tree:PATH`. */
  readonly id: string;
  /** Absolute path of the folder that holds `Kbuild`, `MAINTAINERS` and the rest. */
  readonly root: string;
  readonly arch: Arch;
  /** `[6, 1]`, from the top Makefile (`VERSION`, `PATCHLEVEL`). */
  readonly version: readonly [number, number];
  /** What `uname -r` says on that kernel; of a person's own tree the version that its Makefile tells. */
  readonly release: string;
  /** Which options are on; absent when the tree has no `.config`: then nobody knows what is compiled. */
  readonly config?: KernelConfig;
  /** Path of `Module.symvers`, which tells exports and their modules; absent when there is none. */
  readonly moduleSymvers?: string;
  /** True for a source in our cache, which never changes: answers about it may be kept on disk. */
  readonly immutable: boolean;
  /** Where answers about a tree that can change are kept in memory, by kind and name, by whoever knows when it changes. */
  readonly answers?: Map<string, unknown>;
}
