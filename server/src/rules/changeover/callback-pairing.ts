import { placeOfCall } from "../../change/body-calls.js";
import type { ChangeSet } from "../../change/change-set.js";
import { changedBodies } from "../../change/changed-bodies.js";
import {
  type CallbackKind,
  type LivepatchCallback,
  livepatchCallbacks,
} from "../../change/livepatch-callbacks.js";
import type { SourceFinding, SourceRule } from "../inspection.js";

/** @see docs/rules/callback-pairing.md */
export const callbackPairing: SourceRule = {
  id: "callback-pairing",
  severity: "needs-review",
  witnesses: ["source", "object"],
  summary: "a livepatch callback lacks its counterpart, or does what it must not",
  why: "The kernel runs a post-unpatch callback for each pre-patch callback, and a pre-unpatch for each post-patch callback. What one of a pair sets up stays behind when the other is missing: beyond unload, and when the patch is enabled again.",
  remedy: "Add the counterpart, and let it undo what the callback did.",
  sources: [
    "Documentation/livepatch/callbacks.rst, section 3, How it works",
    "include/linux/livepatch.h, struct klp_callbacks",
    "kernel/livepatch/core.h, klp_pre_patch_callback",
  ],
  *check({ file, changes }) {
    const all = livepatchCallbacks(changes);
    for (const callback of all.filter((one) => one.file === file.path)) {
      yield* unpaired(callback, all);
      yield* misbehaving(callback, changes);
    }
  },
};

const COUNTERPART: Readonly<Record<CallbackKind, CallbackKind>> = {
  pre_patch: "post_unpatch",
  post_patch: "pre_unpatch",
  pre_unpatch: "post_patch",
  post_unpatch: "pre_patch",
};

function* unpaired(
  { kind, handler, object, place }: LivepatchCallback,
  all: readonly LivepatchCallback[],
): Generator<SourceFinding> {
  if (kind === "pre_unpatch" || kind === "post_unpatch") return;
  const wanted = COUNTERPART[kind];
  const beside = all.filter((other) => other.object === object);
  if (beside.some((other) => other.kind === wanted)) return;
  const other = kind === "pre_patch" ? "pre_unpatch" : "post_unpatch";
  const isCrossed =
    beside.some((one) => one.kind === other) && !beside.some((one) => one.kind === COUNTERPART[other]);
  if (isCrossed) {
    yield {
      at: place,
      symbol: handler,
      message: `'${handler}' runs ${shown(kind)}, and what undoes it ${shown(other)}: the kernel pairs it with ${shown(wanted)}`,
      why:
        kind === "pre_patch"
          ? "When a transition is reversed, or another object of the patch cannot be patched, the kernel calls only the post-unpatch callback: what the pre-patch callback did stays."
          : "A post-unpatch callback also runs when the post-patch callback never did: it then undoes what nobody has done.",
      remedy: `Register the one that undoes it as ${wanted}.`,
    };
    return;
  }
  yield {
    at: place,
    symbol: handler,
    message: `'${handler}' runs ${shown(kind)}, and nothing runs ${shown(wanted)} to undo it`,
  };
}

function shown(kind: CallbackKind): string {
  return kind.replace(/^pre_(.*)$/, "before $1ing").replace(/^post_(.*)$/, "after $1ing");
}

/** Take the mutex under which callbacks run (`klp_mutex`, kernel/livepatch/core.c), or wait for the transition to end. */
const REENTERS =
  /^(?:klp_enable_patch|klp_try_complete_transition|klp_force_transition|request_module(?:_nowait)?)$/;
/** Wait for something that may never come. */
const WAITS =
  /^(?:wait_event|wait_event_(?:interruptible|killable)|wait_for_completion|wait_for_completion_(?:interruptible|killable)|ssleep)$/;

function* misbehaving(
  { kind, handler, file, place }: LivepatchCallback,
  changes: ChangeSet,
): Generator<SourceFinding> {
  const body = changedBodies(changes).find(
    (one) => one.name === handler && (one.file.path === file || !one.change.after?.isStatic),
  );
  const item = body?.change.after;
  if (!body || !item) return;
  if (kind !== "pre_patch" && item.returns !== "void")
    yield {
      at: place,
      symbol: handler,
      message: `'${handler}' returns '${item.returns}', but what runs ${shown(kind)} cannot fail`,
      why: "Only a pre-patch callback may refuse: the kernel takes no notice of what the others return.",
      remedy: "Return nothing, and do what can fail in the pre-patch callback.",
    };
  if (kind === "pre_patch" && item.returns === "void")
    yield {
      at: place,
      symbol: handler,
      message: `'${handler}' returns nothing, but what runs ${shown(kind)} has to say whether patching may go on`,
      why: "The kernel reads the callback's result: anything but 0 stops the patch.",
      remedy: "Return 0, or an error code to refuse the patch.",
    };
  for (const call of body.after) {
    if (!REENTERS.test(call.name) && !WAITS.test(call.name)) continue;
    yield {
      at: body.file.path === file ? placeOfCall(body.file, call) : place,
      symbol: handler,
      message: `'${handler}' runs ${shown(kind)} and calls '${call.name}', ${
        REENTERS.test(call.name)
          ? "which needs the lock that callbacks run under"
          : "which may sleep without end"
      }`,
      why: "Callbacks run under the mutex of the livepatch core: until they return, no patch can be enabled, disabled or finish its transition, and no module that is patched can be loaded.",
      remedy: "Wait with a limit, or leave the work to a work item that the counterpart cancels.",
    };
    return;
  }
}
