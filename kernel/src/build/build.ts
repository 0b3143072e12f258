import type { CallbackKind, SystemState } from "../objdiff/marks.js";
import type { ObjectDiff } from "../objdiff/report.js";
import type { Observation } from "../observation.js";
import type { MatchedFunction } from "../runpre/run-pre.js";

/** What `hotpatch build` leaves behind. */
export interface BuildResult {
  readonly patch: {
    /** Files the patch touches, relative to the tree's root, sorted. */
    readonly files: readonly string[];
    /** Of the patches' bytes, in order. */
    readonly sha256: string;
  };
  readonly objects: readonly ObjectDiff[];
  /** Everything that stands in the way or is worth knowing, from all stages, refusals of the objects included. */
  readonly observations: readonly Observation[];
  /** Every function to be replaced, held against the kernel's own code; absent when there is none. */
  readonly runPre?: readonly MatchedFunction[];
  /** Absent when anything was refused or nothing changed. */
  readonly module?: PatchModule;
}

/** A loadable `patch.ko`. */
export interface PatchModule {
  readonly path: string;
  readonly sha256: string;
  /** Name under `/sys/module`, and `/sys/kernel/livepatch` or `/sys/kernel/hotpatch`. */
  readonly name: string;
  readonly backend: "livepatch" | "ftrace";
  /** Path of the module that must be loaded before, where the back end has one of its own. */
  readonly core?: string;
  /** `vmlinux` or modules' names, sorted. */
  readonly objects: readonly string[];
  readonly functions: readonly {
    readonly object: string;
    readonly name: string;
    /** Position among equal names in the object, from 1; 0 when the name is unique. */
    readonly sympos: number;
  }[];
  /** Functions of the patch that the livepatch core calls around transitions of an object. */
  readonly callbacks: readonly {
    readonly object: string;
    readonly kind: CallbackKind;
    readonly name: string;
  }[];
  readonly states: readonly SystemState[];
  /** Whether it takes the place of all patches loaded before it. */
  readonly replace: boolean;
}
