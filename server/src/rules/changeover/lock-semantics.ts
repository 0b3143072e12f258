import { type BodyCall, placeOfCall, readBody } from "../../change/body-calls.js";
import type { ChangeSet } from "../../change/change-set.js";
import { type ChangedBody, callsAfter, changedBodies } from "../../change/changed-bodies.js";
import { type LockOperation, shownLock } from "../../change/lock-operations.js";
import { type LockShape, type LockUse, lockUses, nesting, nestings } from "../../change/lock-use.js";
import { oncePer } from "../../change/once.js";
import { outlineOf } from "../../change/outline.js";
import type { TreeFacts } from "../../tree/tree-facts.js";
import type { Inspection, SourceFinding, SourceRule } from "../inspection.js";

/** @see docs/rules/lock-semantics.md */
export const lockSemantics: SourceRule = {
  id: "lock-semantics",
  severity: "needs-review",
  witnesses: ["source"],
  summary: "a lock is taken, dropped, moved or ordered differently than in the code it replaces",
  why: "While the patch changes over, some tasks run the old code and others the new; they keep out of each other's way only by what both of them lock.",
  remedy:
    "Keep both halves of a lock in one function and the order of locks as it was; where a new lock is needed, keep it in a shadow variable of the object, and let the new code bear with old code that does not take it.",
  sources: [
    "Documentation/livepatch/livepatch.rst, section 3, Consistency model",
    "Documentation/livepatch/shadow-vars.rst, section 2, Use cases",
    "Documentation/locking/lockdep-design.rst",
  ],
  *check({ file, changes, facts }) {
    const patch = locksOf(changes);
    const judged = patch
      .filter(({ body }) => body.file === file)
      .flatMap((one) => [
        ...swapped(one),
        ...differences(one).flatMap((difference) => judge(one, difference, patch, { file, changes, facts })),
      ]);
    yield* oneForEachCause(judged);
  },
};

/** A finding, and what is the same for all functions in which one lock changes in one way. */
interface Judged extends SourceFinding {
  readonly symbol: string;
  readonly cause: string;
}

/** Functions that do the same to the same lock are one finding: the first, with the others beside it. */
function* oneForEachCause(judged: readonly Judged[]): Generator<SourceFinding> {
  for (const [at, { cause, ...first }] of judged.entries()) {
    if (judged.findIndex((other) => other.cause === cause) !== at) continue;
    const others = judged.slice(at + 1).filter((other) => other.cause === cause);
    const names = [...new Set(others.map(({ symbol }) => symbol))].filter((name) => name !== first.symbol);
    yield {
      ...first,
      message: names.length === 0 ? first.message : `${first.message}; likewise ${listed(names)}`,
      related: [...(first.related ?? []), ...others.map(({ at, message }) => ({ at, message }))],
    };
  }
}

/** A function that is there before and after, and its locks by key. */
interface Locking {
  readonly body: ChangedBody;
  readonly before: ReadonlyMap<string, LockUse>;
  readonly after: ReadonlyMap<string, LockUse>;
}

interface Difference {
  readonly key: string;
  readonly from: LockShape;
  readonly to: LockShape;
  /** An operation that shows the lock, of the patched text where it is there. */
  readonly before?: LockUse;
  readonly after?: LockUse;
}

const locksOf = oncePer((changes: ChangeSet): readonly Locking[] =>
  changedBodies(changes)
    .filter(({ change }) => change.before && change.after)
    .map((body) => ({ body, before: lockUses(body.before), after: lockUses(body.after) })),
);

function differences({ before, after }: Locking): Difference[] {
  return [...new Set([...after.keys(), ...before.keys()])].map((key) => {
    const [old, now] = [before.get(key), after.get(key)];
    const [from, to] = [old?.shape ?? "none", now?.shape ?? "none"];
    return { key, from, to, ...(old && { before: old }), ...(now && { after: now }) };
  });
}

function judge(
  one: Locking,
  difference: Difference,
  patch: readonly Locking[],
  inspection: Inspection,
): Judged[] {
  const { key, from, to, before, after } = difference;
  const lock = (after ?? before)?.operations[0];
  if (!lock) return [];
  if (from === to) return before && after ? weaker(one, before, after) : [];
  const lost = { acquire: acquires(from) && !acquires(to), release: releases(from) && !releases(to) };
  const gained = { acquire: !acquires(from) && acquires(to), release: !releases(from) && releases(to) };
  const partner = patch.find((other) => {
    if (other === one) return false;
    const theirs = differences(other).find((candidate) => candidate.key === key);
    if (!theirs) return false;
    const gains = (what: typeof acquires) => !what(theirs.from) && what(theirs.to);
    const loses = (what: typeof acquires) => what(theirs.from) && !what(theirs.to);
    return (
      (lost.acquire && gains(acquires)) ||
      (lost.release && gains(releases)) ||
      (gained.acquire && loses(acquires)) ||
      (gained.release && loses(releases))
    );
  });
  const isLoser = lost.acquire || lost.release;
  // Told once, where the lock is gone.
  if (partner) return isLoser ? [moved(one, partner, difference, lock, inspection.facts)] : [];
  // A missing unlock, mended.
  if (to === "section" && from === "takes") return [];
  if (!lock.excludes || hiddenInHelper(one, key, isLoser)) return [];
  if (from === "none" && to === "section") return replaces(one) ? [] : [added(one, lock, inspection.changes)];
  if (to === "none" && from === "section") return [removed(one, lock)];
  const finding: Judged = {
    cause: `${one.body.name} ${key}`,
    at: placeIn(one, after?.operations[0]),
    symbol: one.body.name,
    message: `'${one.body.name}' ${DOES[to](shownLock(lock))}, where the old one ${DOES[from]("it")}`,
    why: "What holds the lock when the function is called or returns is a promise to its callers, and the patch holds no function that keeps the other half of it. Whether the callers fit cannot be told from the change.",
    remedy: "Make sure that every caller expects it, or take and drop the lock within the function.",
  };
  return [finding];
}

const DOES: Readonly<Record<LockShape, (lock: string) => string>> = {
  none: (lock) => `does not touch ${lock}`,
  section: (lock) => `takes and drops ${lock}`,
  takes: (lock) => `returns with ${lock} held`,
  drops: (lock) => `drops ${lock} for its caller`,
  lends: (lock) => `gives ${lock} up for a while`,
};

function acquires(shape: LockShape): boolean {
  return shape === "section" || shape === "takes" || shape === "lends";
}

function releases(shape: LockShape): boolean {
  return shape === "section" || shape === "drops" || shape === "lends";
}

function moved(
  one: Locking,
  partner: Locking,
  { from, to }: Difference,
  lock: LockOperation,
  facts: TreeFacts,
): Judged {
  const [name, other] = [one.body.name, partner.body.name];
  const isWhole = from === "section" && to === "none";
  const callee = callsAfter(one.body, other) ? other : callsAfter(partner.body, name) ? name : undefined;
  const outside = callee === undefined ? [] : callersOutside(callee, facts);
  const isTogether = callee !== undefined && outside.length === 0;
  const gained = partner.after.get(lock.key)?.operations[0] ?? partner.before.get(lock.key)?.operations[0];
  const half = isWhole ? "the section under" : acquires(from) && !acquires(to) ? "taking" : "dropping";
  const whole = isWhole || !lock.excludes ? "needs-review" : "unsafe";
  return {
    cause: `moved ${name} ${other} ${lock.key}`,
    at: placeIn(one, undefined),
    symbol: name,
    severity: isTogether ? (lock.excludes ? "needs-review" : "info") : whole,
    message: `${half} ${shownLock(lock)} moves from '${name}' to '${other}'${
      outside.length > 0
        ? `; '${callee}' is also called by ${listed(outside)}, which the patch leaves as it is`
        : ""
    }`,
    why: isTogether
      ? `A task changes over as a whole, and one of the two calls the other, so each task uses both old or both new. That no longer holds when the transition is forced, or when the object is handed from task to task with the lock held.`
      : callee === undefined
        ? "Neither of the two calls the other: one task may still run the old half while another runs the new half of the pair, and the lock is then taken twice or never dropped."
        : "Callers that the patch leaves alone go on as if nothing had changed: with the lock held where it is now taken again, or without it where it is now needed.",
    ...(gained && {
      related: [{ at: placeOfCall(partner.body.file, gained.call), message: `'${other}' uses it here` }],
    }),
  };
}

/** Functions that call it, or take its address, and are not in the patch. */
function callersOutside(name: string, facts: TreeFacts): string[] {
  const { places } = facts.uses(name);
  const outside = places.filter(
    ({ kind, inPatch }) => (kind === "call" || kind === "address" || kind === "unread") && !inPatch,
  );
  return [...new Set(outside.map(({ within, file }) => within ?? file))];
}

function listed(names: readonly string[]): string {
  const quoted = names.map((name) => `'${name}'`);
  if (quoted.length > 3) return `${quoted.slice(0, 3).join(", ")} and ${quoted.length - 3} more`;
  return quoted.length < 2 ? quoted.join("") : `${quoted.slice(0, -1).join(", ")} and ${quoted.at(-1)}`;
}

function added(one: Locking, lock: LockOperation, changes: ChangeSet): Judged {
  const { name } = one.body;
  const at = placeIn(one, lock);
  const cause = `added ${lock.key}`;
  const isNew = isOfThePatch(lock, changes) || isNewLocal(one, lock);
  const atomics = lostAtomics(one);
  const message = `'${name}' now takes ${shownLock(lock)}, which tasks that still run the old '${name}' do not`;
  if (isNew)
    return {
      cause,
      at,
      symbol: name,
      message: `${message}; no other code of the running kernel knows this lock`,
      why: "The lock comes with the patch. Until the transition ends it keeps out only tasks that have changed over: old code goes on using the data without it.",
    };
  if (atomics.length > 0)
    return {
      cause,
      at,
      symbol: name,
      message: `${message}; they use ${listed(atomics)} instead`,
      why: "The old code relies on an atomic operation and the new code on the lock. Side by side they do not exclude each other.",
    };
  return {
    cause: `${cause} info`,
    at,
    symbol: name,
    severity: "info",
    message,
    why: "The lock is one that the running kernel knows, so that the new code fits in. The gap that it closes stays open until every task has changed over.",
    remedy: "Nothing, if old and new code side by side are no worse than the old code alone.",
  };
}

/** Whether a lock that excludes is no longer taken, so that a new one stands in its place. */
function replaces({ before, after }: Locking): boolean {
  return [...before].some(
    ([key, use]) => use.shape === "section" && use.operations[0]?.excludes && !after.has(key),
  );
}

function removed(one: Locking, lock: LockOperation): Judged {
  const { name } = one.body;
  const instead = [...one.after].find(
    ([key, use]) => use.shape === "section" && use.operations[0]?.excludes && !one.before.has(key),
  )?.[1].operations[0];
  if (instead)
    return {
      cause: `replaced ${lock.key} ${instead.key}`,
      at: placeIn(one, instead),
      symbol: name,
      message: `'${name}' takes ${shownLock(instead)} in place of ${shownLock(lock)}, which the old '${name}' takes`,
      why: "A task in the old code holds one lock, a task in the new code the other: until the transition ends they do not keep each other out.",
      remedy: "Take both locks, the old one first, for as long as old code may run.",
    };
  return {
    cause: `removed ${lock.key}`,
    at: placeIn(one, undefined),
    symbol: name,
    message: `'${name}' no longer takes ${shownLock(lock)}`,
    why: "Old code and code outside of the patch that takes this lock counts on the new code being kept out by it. What the new code relies on instead is not to be seen.",
    remedy: "Keep taking the lock, or make sure that whatever replaces it also holds against the old code.",
  };
}

function weaker(one: Locking, before: LockUse, after: LockUse): Judged[] {
  const lock = after.operations.find(({ does }) => does !== "release");
  const old = before.operations.find(({ does }) => does !== "release");
  if (!lock || !old) return [];
  const { name } = one.body;
  const common = { at: placeIn(one, lock), symbol: name };
  if (after.reads && !before.reads && after.strength >= before.strength)
    return [
      {
        ...common,
        cause: `reads ${lock.key}`,
        message: `'${name}' takes ${shownLock(lock)} only for reading, where the old one keeps all others out`,
        why: "New code then shares the section with readers that old code would have kept out.",
        remedy: "Keep the exclusive form, unless nothing within the section relies on being alone.",
      },
    ];
  if (after.strength === before.strength) return [];
  const message = `'${name}' takes ${shownLock(lock)} by ${lock.call.name} instead of ${old.call.name}`;
  if (after.strength < before.strength)
    return [
      {
        ...common,
        cause: `weaker ${lock.key}`,
        message,
        why: "The new code leaves interrupts or softirqs on while it holds the lock. A handler that takes the same lock on that processor, whether changed over or not in the patch, then waits for ever.",
        remedy: "Keep the stronger form, unless no handler takes this lock, in old code either.",
      },
    ];
  return [
    {
      ...common,
      cause: `stronger ${lock.key}`,
      severity: "info",
      message,
      why: "An interrupt runs on behalf of the task that it interrupts, old or new as that is: the stronger form asks nothing of old code. The deadlock that it closes stays possible for tasks that have not changed over.",
      remedy: "Nothing, if no other place of the patch begins to take this lock in a handler.",
    },
  ];
}

function swapped(one: Locking): Judged[] {
  const [before, after] = [nestings(one.body.before), nestings(one.body.after)];
  for (const [key, [outer, inner]] of after) {
    const reverse = nesting(inner, outer);
    if (before.has(key) || !before.has(reverse) || after.has(reverse)) continue;
    return [
      {
        cause: `swapped ${key}`,
        at: placeIn(one, inner),
        symbol: one.body.name,
        severity: "unsafe",
        message: `'${one.body.name}' takes ${shownLock(inner)} within ${shownLock(outer)}; the old one nests them the other way`,
        why: "While the patch changes over, a task in the old code and a task in the new one can each hold the lock that the other waits for: a deadlock that neither version has by itself.",
        remedy:
          "Keep the old order; where that is the fault itself, give up the outer lock before the inner one is taken.",
        related: [{ at: placeOfCall(one.body.file, outer.call), message: "taken first here" }],
      },
    ];
  }
  return [];
}

/** Whether the lock's last name is that of a variable or member that the patch adds. */
function isOfThePatch({ lock, key }: LockOperation, changes: ChangeSet): boolean {
  const name = lock === "" ? undefined : key.split(" ").at(-1);
  return changes.changes.some(({ before, after }) => {
    if (after?.kind === "data") return !before && !after.isExtern && after.name === name;
    if (after?.kind !== "type") return false;
    const old = before?.kind === "type" ? before.members : [];
    return after.members.some(
      (member) => member.name === name && !old.some((other) => other.name === member.name),
    );
  });
}

/** Whether it is a static lock within the function, which the old one has not. */
function isNewLocal({ body }: Locking, { key }: LockOperation): boolean {
  const defines = (calls: readonly BodyCall[]) =>
    calls.some(
      ({ name, arguments: [defined] }) => /^DEFINE_/.test(name) && defined === key.split(" ").at(-1),
    );
  return defines(body.after) && !defines(body.before);
}

const ATOMIC = /^(?:atomic(?:64|_long)?_(?!read|set)|(?:try_)?cmpxchg|xchg|test_and_)/;

function lostAtomics({ body }: Locking): string[] {
  const now = new Set(body.after.map(({ name }) => name));
  return [...new Set(body.before.map(({ name }) => name))].filter(
    (name) => ATOMIC.test(name) && !now.has(name),
  );
}

/**
 * Whether the patched function calls one of the same file that itself uses the lock (`wasLost`); or the old function called
 * one, which the new no longer does.
 */
function hiddenInHelper({ body }: Locking, key: string, wasLost: boolean): boolean {
  const names = (calls: readonly BodyCall[]) => new Set(calls.map(({ name }) => name));
  const [old, now] = [names(body.before), names(body.after)];
  const file = wasLost ? body.file.after : body.file.before;
  const isCalled = (name: string) => (wasLost ? now.has(name) : old.has(name) && !now.has(name));
  if (!file) return false;
  return outlineOf(file).some(
    ({ name, line, endLine, isFunction }) =>
      isFunction &&
      name !== body.name &&
      isCalled(name) &&
      lockUses(readBody(file, file.lines.offsetOf(line - 1), file.lines.offsetOf(endLine)).calls).has(key),
  );
}

function placeIn({ body }: Locking, operation: LockOperation | undefined) {
  return operation ? placeOfCall(body.file, operation.call) : body.change.place;
}
