import type { FileKind } from "@kernel-hotpatch/kernel/build/file-kinds";
import type { Item, SourceFile } from "./item.js";
import type { Place } from "./place.js";

/** A patch by meaning. Reformatted, moved and commented code is no change. */
export interface ChangeSet {
  readonly files: readonly ChangedFile[];
  /** All changed items of all C files. */
  readonly changes: readonly ItemChange[];
}

export interface ChangedFile {
  readonly path: string;
  readonly kind: FileKind;
  /** Absent for a new file, and for files that are no C. */
  readonly before?: SourceFile;
  /** Absent for a removed file, and for files that are no C. */
  readonly after?: SourceFile;
  /** Whether the file is there before and after, whatever it holds. */
  readonly existedBefore: boolean;
  readonly existsAfter: boolean;
  /** Changed items, in the order of the patched file. */
  readonly changes: readonly ItemChange[];
  /** Stretches of lines that differ, in the patched file; where lines are only removed, the line before, of no length. */
  readonly hunks: readonly Hunk[];
  /** Places in the changed lines, or in changed items, that the grammar cannot read. */
  readonly unread: readonly Place[];
  /** Only comments, blanks and moved items differ: nothing that is compiled. */
  readonly isCosmetic: boolean;
}

/** Lines count from 1; a count of 0 says that nothing stands there, behind line `start`. */
export interface Hunk {
  readonly before: { readonly start: number; readonly count: number };
  readonly after: { readonly start: number; readonly count: number };
}

/** One item that differs: in both, only after (added) or only before (removed). */
export type ItemChange<I extends Item = Item> = {
  readonly file: string;
  readonly name: string;
  /** Where a finding about it points to, in the patched file; for a removed item where it was taken from. */
  readonly place: Place;
} & (
  | { readonly before: I; readonly after: I }
  | { readonly before?: undefined; readonly after: I }
  | { readonly before: I; readonly after?: undefined }
);
