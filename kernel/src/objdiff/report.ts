import type { Observation } from "../observation.js";
import type { ObjectArch } from "./architecture.js";

/** What the comparison of two objects says; the public part, as `--json` prints it. */
export interface ObjectDiff {
  /** Path of the translation unit's object in the build tree, or of the file given. */
  readonly orig: string;
  readonly patched: string;
  readonly arch: ObjectArch;
  readonly outcome: "carried" | "refused" | "unchanged";
  /** Functions whose code differs: these are redirected. */
  readonly changed: readonly string[];
  /** Functions that only PATCHED.o has and that are carried. */
  readonly new: readonly string[];
  /** Functions that only ORIG.o has. */
  readonly removed: readonly string[];
  readonly data: readonly { readonly name: string; readonly why: string }[];
  readonly refusals: readonly Observation[];
  /** Worth knowing, yet no reason to refuse. */
  readonly remarks: readonly Observation[];
}
