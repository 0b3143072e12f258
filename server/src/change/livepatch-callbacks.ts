import type { ChangeSet } from "./change-set.js";
import { oncePer } from "./once.js";
import type { Place } from "./place.js";

/** What the kernel's livepatch core can call (include/linux/livepatch.h, struct klp_callbacks). */
export type CallbackKind = "pre_patch" | "post_patch" | "pre_unpatch" | "post_unpatch";

/** A callback that the patch brings along. */
export interface LivepatchCallback {
  readonly kind: CallbackKind;
  /** Its function. */
  readonly handler: string;
  readonly file: string;
  /** Equal for callbacks of one patched object, as far as the source tells. */
  readonly object: string;
  readonly place: Place;
}

/** Callbacks that run when the patch goes. */
export const UNPATCH: ReadonlySet<CallbackKind> = new Set(["pre_unpatch", "post_unpatch"]);

/** As in kernel/runtime/include/hotpatch.h, and as the users of kpatch and of the kernel's klp-build write them. */
const MACRO = /^(?:HOTPATCH|KPATCH|KLP)_(PRE|POST)_(PATCH|UNPATCH)_CALLBACK$/;
const MEMBER = /\. (pre_patch|post_patch|pre_unpatch|post_unpatch) = (?:& )?([A-Za-z_]\w*)/g;

/** Every callback in the patch: those given to macros, and those in a `struct klp_callbacks` written out. */
export const livepatchCallbacks = oncePer((changes: ChangeSet): readonly LivepatchCallback[] =>
  changes.changes.flatMap(({ file, after, place }): LivepatchCallback[] => {
    if (!after || after.kept === "no") return [];
    if (after.kind === "call") {
      const named = MACRO.exec(after.macro);
      const [handler] = after.arguments;
      if (!named || handler === undefined) return [];
      const kind = `${named[1]}_${named[2]}`.toLowerCase() as CallbackKind;
      return [{ kind, handler, file, object: file, place }];
    }
    if (after.kind !== "data" || !/\bklp_(?:callbacks|object|patch)\b/.test(after.type)) return [];
    return [...after.tokens.matchAll(/\{[^{}]*\}/g)].flatMap(([braces], at) =>
      [...braces.matchAll(MEMBER)].map(([, kind, handler = ""]) => ({
        kind: kind as CallbackKind,
        handler,
        file,
        object: `${file} ${after.name} ${at}`,
        place,
      })),
    );
  }),
);
