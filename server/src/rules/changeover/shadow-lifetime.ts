import { type BodyCall, bodyOf, lastName, placeOfCall } from "../../change/body-calls.js";
import type { ChangeSet } from "../../change/change-set.js";
import { type ChangedBody, changedBodies } from "../../change/changed-bodies.js";
import { shown } from "../../change/lock-operations.js";
import { oncePer } from "../../change/once.js";
import type { SourceFinding, SourceRule } from "../inspection.js";

/** @see docs/rules/shadow-lifetime.md */
export const shadowLifetime: SourceRule = {
  id: "shadow-lifetime",
  severity: "needs-review",
  witnesses: ["source"],
  summary: "a shadow variable is not freed with its object, or two share one id",
  why: "A shadow variable is found by its object's address and its id. When the object is freed and the shadow is not, the next object at that address inherits it.",
  remedy:
    "Free it where the object is freed (klp_shadow_free), and what is left when the patch goes (klp_shadow_free_all).",
  sources: ["Documentation/livepatch/shadow-vars.rst, sections 1 and 2", "kernel/livepatch/shadow.c"],
  *check({ file, changes }) {
    const uses = shadowUses(changes);
    for (const use of uses) {
      if (use.does !== "alloc" || use.body.file !== file) continue;
      const same = uses.filter((other) => other.id === use.id);
      const first = same.find((other) => other.does === "alloc");
      if (first === use) yield* lifetime(use, same);
      if (first && first !== use) yield* clash(use, first);
      yield* constructorSleeps(use, changes);
    }
  },
};

interface ShadowUse {
  readonly does: "alloc" | "free" | "free all";
  /** Its value, where the patch tells; else as written. */
  readonly id: string;
  readonly written: string;
  /** The type or number of bytes, where that can be told. */
  readonly size?: string;
  readonly object: string;
  readonly call: BodyCall;
  readonly body: ChangedBody;
}

/** Uses of shadow variables in the patched functions, each where it is written. */
const shadowUses = oncePer((changes: ChangeSet): readonly ShadowUse[] => {
  const values = new Map<string, string>();
  for (const { after } of changes.changes) {
    if (after?.kind === "macro" && !after.parameters) values.set(after.name, after.body);
    if (after?.kind === "type" && after.keyword === "enum")
      for (const { name } of after.members) if (!values.has(name)) values.set(name, name);
  }
  return changedBodies(changes).flatMap((body) => {
    const { after } = body.change;
    const source = body.file.after;
    if (!after || !source) return [];
    return bodyOf(source, after).calls.flatMap((call): ShadowUse[] => {
      const all = /^(?:klp|hotpatch)_shadow_free_all$/.test(call.name);
      const does = all
        ? "free all"
        : /^(?:klp|hotpatch)_shadow_free$/.test(call.name)
          ? "free"
          : /^(?:klp_shadow_(?:get_or_)?alloc|hotpatch_shadow_or_new)$/.test(call.name)
            ? "alloc"
            : undefined;
      const written = call.arguments[all ? 0 : 1];
      if (!does || written === undefined) return [];
      const size =
        does === "alloc"
          ? call.name.startsWith("klp")
            ? sizeOf(call.arguments[2] ?? "", source.text.slice(after.start, after.end))
            : call.arguments[2]
          : undefined;
      const id = values.get(written) ?? written;
      const object = all ? "" : (call.arguments[0] ?? "");
      return [{ does, id, written, object, call, body, ...(size !== undefined && { size }) }];
    });
  });
});

/** `struct lock` of `sizeof(struct lock)`, and of `sizeof(*p)` where `struct lock *p` is declared; undefined when not told. */
function sizeOf(expression: string, text: string): string | undefined {
  const inner = /^sizeof \( (.*) \)$/.exec(expression)?.[1];
  if (inner === undefined) return /^\d+$/.test(expression) ? expression : undefined;
  const name = /^\* (\w+)$/.exec(inner)?.[1];
  if (name === undefined)
    return /^(?:(?:struct|union|enum|unsigned|signed|long|int|char|short|bool) ?|\w+_t\b|[us]\d+\b)/.test(
      inner,
    )
      ? inner
      : undefined;
  const declared = new RegExp(
    `((?:(?:struct|union|enum|unsigned) )?\\w+)\\s*\\*\\s*${name}\\b(?!\\s*\\))`,
  ).exec(text)?.[1];
  return declared === "return" ? undefined : declared;
}

function* lifetime(use: ShadowUse, same: readonly ShadowUse[]): Generator<SourceFinding> {
  const { call, body, written, object } = use;
  const isFree = same.some(({ does }) => does === "free");
  const isFreeAll = same.some(({ does }) => does === "free all");
  const isForEver = object === "NULL" || /^& [A-Za-z_]\w*$/.test(object);
  if (isFree || (isFreeAll && isForEver)) return;
  const at = placeOfCall(body.file, call);
  if (isFreeAll)
    yield {
      at,
      symbol: body.name,
      message: `the shadow variable ${written} of '${shown(object)}' is freed only with the patch, not when '${lastName(object)}' is freed`,
    };
  else
    yield {
      at,
      symbol: body.name,
      message: `the shadow variable ${written} of '${shown(object)}' is freed nowhere in the patch`,
    };
}

function* clash(use: ShadowUse, first: ShadowUse): Generator<SourceFinding> {
  if (use.size === undefined || first.size === undefined || use.size === first.size) return;
  yield {
    at: placeOfCall(use.body.file, use.call),
    symbol: use.body.name,
    message: `shadow variable ${use.written} holds '${use.size}' here and '${first.size}' in '${first.body.name}'`,
    why: "Only the object's address and the id tell shadow variables apart: one that is there already is returned whatever its size.",
    remedy: "Give each kind of shadow variable an id of its own.",
    related: [{ at: placeOfCall(first.body.file, first.call), message: `'${first.size}' here` }],
  };
}

const SLEEPS =
  /^(?:mutex_lock\w*|down|down_(?:read|write)\w*|msleep|usleep_range|ssleep|schedule|synchronize_\w+|wait_\w+|vmalloc|vzalloc|might_sleep)$/;

/** Constructors run under a spinlock (kernel/livepatch/shadow.c, __klp_shadow_get_or_alloc). */
function* constructorSleeps({ call }: ShadowUse, changes: ChangeSet): Generator<SourceFinding> {
  const name = call.arguments[4];
  const body = name === undefined ? undefined : changedBodies(changes).find((one) => one.name === name);
  const sleeps = body?.after.find((one) => SLEEPS.test(one.name) || one.arguments.includes("GFP_KERNEL"));
  if (!body || !sleeps) return;
  yield {
    at: placeOfCall(body.file, sleeps),
    symbol: body.name,
    message: `'${body.name}' constructs a shadow variable and calls '${sleeps.name}', which may sleep`,
    why: "The constructor runs under the spinlock that guards all shadow variables, with interrupts off.",
    remedy: "Do what may sleep before klp_shadow_alloc, and hand the result over as constructor data.",
  };
}
