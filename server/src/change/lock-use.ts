import type { BodyCall } from "./body-calls.js";
import { type LockOperation, lockOperation, strength } from "./lock-operations.js";

/** How one function treats one lock, as the order of its text tells. */
export interface LockUse {
  readonly key: string;
  readonly shape: LockShape;
  readonly operations: readonly LockOperation[];
  /** Of the weakest acquisition. */
  readonly strength: number;
  /** Whether some acquisition is only for reading. */
  readonly reads: boolean;
}

/**
 * `none`; `section`: takes and drops it; `takes`: returns with it held; `drops`: releases what its caller took; `lends`:
 * releases what its caller took, and takes it again.
 */
export type LockShape = "none" | "section" | "takes" | "drops" | "lends";

/** The locks of a function, by key. */
export function lockUses(calls: readonly BodyCall[]): ReadonlyMap<string, LockUse> {
  const byKey = new Map<string, LockOperation[]>();
  for (const operation of lockOperations(calls)) {
    const known = byKey.get(operation.key);
    if (known) known.push(operation);
    else byKey.set(operation.key, [operation]);
  }
  return new Map([...byKey].map(([key, operations]) => [key, useOf(key, operations)]));
}

/** Pairs of locks, as written, of which the second is taken while the first is held. */
export function nestings(
  calls: readonly BodyCall[],
): ReadonlyMap<string, readonly [LockOperation, LockOperation]> {
  const pairs = new Map<string, readonly [LockOperation, LockOperation]>();
  const held: LockOperation[] = [];
  for (const operation of lockOperations(calls).filter(({ excludes }) => excludes)) {
    const at = held.findIndex((one) => nameOf(one) === nameOf(operation));
    // An error path that drops the lock and leaves: the main path goes on holding it.
    if (operation.does === "release") {
      const isSameBlock = held[at]?.call.block === operation.call.block;
      if (at !== -1 && (isSameBlock || !operation.call.leaves)) held.splice(at, 1);
      continue;
    }
    if (at !== -1) continue;
    for (const outer of held) pairs.set(nesting(outer, operation), [outer, operation]);
    // Where the scope of a guard ends is not known from calls alone.
    if (operation.does === "acquire") held.push(operation);
  }
  return pairs;
}

/** The key of a pair in {@link nestings}. */
export function nesting(outer: LockOperation, inner: LockOperation): string {
  return `${nameOf(outer)}\n${nameOf(inner)}`;
}

function nameOf({ family, lock }: LockOperation): string {
  return `${family} ${lock}`;
}

function lockOperations(calls: readonly BodyCall[]): LockOperation[] {
  return calls.flatMap((call) => lockOperation(call) ?? []);
}

function useOf(key: string, operations: readonly LockOperation[]): LockUse {
  const taking = operations.filter(({ does }) => does !== "release");
  return {
    key,
    operations,
    shape: shapeOf(operations),
    strength: Math.min(...taking.map(({ flavour }) => strength(flavour))),
    reads: taking.some(({ mode }) => mode === "read"),
  };
}

function shapeOf(operations: readonly LockOperation[]): LockShape {
  const [first] = operations;
  if (!first) return "none";
  const releases = operations.some(({ does }) => does !== "acquire");
  if (first.does !== "release") return releases ? "section" : "takes";
  return operations.some(({ does }) => does !== "release") ? "lends" : "drops";
}
