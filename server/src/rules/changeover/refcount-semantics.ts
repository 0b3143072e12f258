import { placeOfCall } from "../../change/body-calls.js";
import type { ChangeSet } from "../../change/change-set.js";
import { type ChangedBody, callsAfter, changedBodies } from "../../change/changed-bodies.js";
import { shown } from "../../change/lock-operations.js";
import { oncePer } from "../../change/once.js";
import { type ReferenceOperation, referenceOperation } from "../../change/reference-operations.js";
import type { SourceFinding, SourceRule } from "../inspection.js";

/** @see docs/rules/refcount-semantics.md */
export const refcountSemantics: SourceRule = {
  id: "refcount-semantics",
  severity: "needs-review",
  witnesses: ["source"],
  summary: "a reference or a piece of memory is taken in one changed function and given back in another",
  why: "Objects that the old code set up are still there when the new code comes. What new code gives back for them, old code may never have taken, and the other way round at unload.",
  remedy:
    "Mark objects that new code has set up by a shadow variable, and give back only what was taken for a marked one; or take and give back within one function.",
  sources: [
    "Documentation/livepatch/shadow-vars.rst, section 2, Other use-cases",
    "Documentation/livepatch/livepatch.rst, section 3, Consistency model",
  ],
  *check({ file, changes }) {
    const patch = balancesOf(changes);
    const told = new Set<string>();
    for (const one of patch.filter(({ body }) => body.file === file))
      for (const [key, mine] of one.balances) {
        const found = judge(one, key, mine, patch);
        if (!found || told.has(key)) continue;
        told.add(key);
        yield found;
      }
  },
};

interface Holding {
  readonly body: ChangedBody;
  readonly balances: ReadonlyMap<string, Balance>;
}

/** 1: only the new code does it; -1: only the old; 0: both or none. How often is no matter: error paths repeat it. */
interface Balance {
  readonly gets: number;
  readonly puts: number;
  readonly get?: ReferenceOperation;
  readonly put?: ReferenceOperation;
}

const balancesOf = oncePer((changes: ChangeSet): readonly Holding[] =>
  changedBodies(changes)
    .filter(({ change }) => change.before && change.after)
    .map((body) => ({ body, balances: balances(body) })),
);

function balances({ before, after }: ChangedBody): Map<string, Balance> {
  const [old, now] = [before, after].map((calls) => calls.flatMap((call) => referenceOperation(call) ?? []));
  const all = [...(now ?? []), ...(old ?? [])];
  const found = new Map<string, Balance>();
  for (const { key, kind } of all) {
    const step = (does: "get" | "put") => {
      const by = (side: typeof old) => side?.some((one) => one.key === key && one.does === does) ?? false;
      const gains = (other: string) =>
        now?.some((one) => one.key === other && one.does === does) &&
        !old?.some((one) => one.key === other && one.does === does);
      const loses = (other: string) =>
        old?.some((one) => one.key === other && one.does === does) &&
        !now?.some((one) => one.key === other && one.does === does);
      const change = Number(by(now)) - Number(by(old));
      // The same object under another name, as far as one can tell.
      const isRenamed = all.some(
        (one) =>
          one.kind === kind &&
          one.does === does &&
          ((change > 0 && loses(one.key)) || (change < 0 && gains(one.key))),
      );
      return isRenamed ? 0 : change;
    };
    const [get, put] = (["get", "put"] as const).map((does) =>
      all.find((one) => one.key === key && one.does === does),
    );
    found.set(key, { gets: step("get"), puts: step("put"), ...(get && { get }), ...(put && { put }) });
  }
  return found;
}

function judge(
  one: Holding,
  key: string,
  mine: Balance,
  patch: readonly Holding[],
): SourceFinding | undefined {
  const { name } = one.body;
  const others = patch.filter((other) => other !== one);
  const with_ = (fits: (theirs: Balance) => boolean) =>
    others.find(({ balances }) => {
      const theirs = balances.get(key);
      return theirs !== undefined && fits(theirs);
    });
  const at = (holding: Holding, operation: ReferenceOperation | undefined) =>
    operation && holding.body.after.includes(operation.call)
      ? placeOfCall(holding.body.file, operation.call)
      : holding.body.change.place;

  // Told where it is given back.
  if (mine.puts > 0 && mine.gets === 0 && mine.put) {
    const taker = with_(({ gets, puts }) => gets > 0 && puts <= 0);
    if (taker) {
      const get = taker.balances.get(key)?.get;
      const what = shown(mine.put.object);
      return {
        at: at(one, mine.put),
        symbol: name,
        message: mine.put.counted
          ? `'${name}' now drops a reference to ${mine.put.kind} '${what}' that only the new '${taker.body.name}' takes`
          : `'${name}' now frees '${what}', which only the new '${taker.body.name}' allocates`,
        why: mine.put.counted
          ? `For objects that the old '${taker.body.name}' has set up nobody took that reference: the count falls too low, and the object is freed while it is in use.`
          : `Objects that the old '${taker.body.name}' has set up hold something else there, or nothing.`,
        related: [{ at: at(taker, get), message: `'${taker.body.name}' takes it here` }],
      };
    }
  }
  if (mine.puts < 0 && mine.gets === 0 && mine.put) {
    const taker = with_(({ gets, puts }) => gets < 0 && puts >= 0);
    if (taker)
      return {
        at: one.body.change.place,
        symbol: name,
        message: `'${name}' no longer gives back ${mine.put.kind} '${shown(mine.put.object)}', which the old '${taker.body.name}' has taken for objects that exist`,
        why: "What the old code took for objects that are alive when the patch comes is never given back: it leaks, and what waits for the last reference waits for ever.",
        related: [{ at: taker.body.change.place, message: `'${taker.body.name}' no longer takes it` }],
      };
  }
  for (const does of ["get", "put"] as const) {
    const count = (balance: Balance) => (does === "get" ? balance.gets : balance.puts);
    const opposite = (balance: Balance) => (does === "get" ? balance.puts : balance.gets);
    if (count(mine) >= 0 || opposite(mine) !== 0) continue;
    const gainer = with_((theirs) => count(theirs) > 0 && opposite(theirs) === 0);
    const operation = mine[does];
    if (!gainer || !operation) continue;
    const isDirect = callsAfter(one.body, gainer.body.name) || callsAfter(gainer.body, name);
    const what = `${operation.kind} '${shown(operation.object)}'`;
    return {
      at: one.body.change.place,
      symbol: name,
      ...(isDirect && { severity: "info" as const }),
      message: `${does === "get" ? "taking" : "giving back"} ${what} moves from '${name}' to '${gainer.body.name}'`,
      why: isDirect
        ? "One of the two calls the other, and a task changes over as a whole: it uses both old or both new. Only an object that is handed from an old task to a new one sees the operation twice, or never."
        : "An object that passes the old code of one and the new code of the other sees the operation twice, or never.",
      related: [
        { at: at(gainer, gainer.balances.get(key)?.[does]), message: `'${gainer.body.name}' does it here` },
      ],
    };
  }
  return undefined;
}
