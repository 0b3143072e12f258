import type { ItemChange } from "../change/change-set.js";
import type { FunctionItem } from "../change/item.js";
import { changesOf } from "../change/sides.js";
import type { Finding } from "../review/finding.js";
import { type Verdict, verdictOf } from "../review/verdict.js";
import type { KernelTree, OpenFile } from "./kernel-tree.js";

/** What is known of one function that differs from its base. */
export interface ChangedFunction {
  readonly name: string;
  readonly item: FunctionItem;
  /** By the findings within it. */
  readonly verdict: Verdict;
  /** What the object witness made of it; absent while nobody asked, and where its own part in a caller cannot be told. */
  readonly object?: "carried" | "inlined" | "refused" | "unchanged";
  /** Functions that embed it, as the objects show. */
  readonly inlinedInto: readonly string[];
}

/** The functions of a document that differ from its base and are still there. */
export function changedFunctionsOf(tree: KernelTree, file: OpenFile): ChangedFunction[] {
  if (!file.changed) return [];
  const findings = tree.findingsOf(file);
  return changesOf(file.changed, "function").flatMap((change) => {
    const { after } = change;
    return after ? [{ ...objectSide(tree, file, change), ...sourceSide(after, findings) }] : [];
  });
}

function sourceSide(
  item: FunctionItem,
  findings: readonly Finding[],
): Pick<ChangedFunction, "name" | "item" | "verdict"> {
  const isWithin = ({ line }: Finding) => line !== null && line >= item.line && line <= item.endLine;
  return { name: item.name, item, verdict: verdictOf(findings.filter(isWithin)) };
}

function objectSide(
  tree: KernelTree,
  file: OpenFile,
  { name }: ItemChange,
): Pick<ChangedFunction, "object" | "inlinedInto"> {
  const units = tree.objects()?.objects ?? [];
  const own = units.filter(
    ({ orig }) => file.path.endsWith(".h") || orig.replace(/\.o$/, ".c") === file.path,
  );
  if (own.length === 0) return { inlinedInto: [] };
  const carried = new Set(own.flatMap((unit) => [...unit.changed, ...unit.new]).map(sourceName));
  const sourceChanges = new Set(file.changed?.changes.map((change) => change.name));
  const users = tree.usersOf(name);
  const callers = [...carried].filter((other) => users.has(other));
  const inlinedInto = callers.filter((other) => !sourceChanges.has(other));
  const isRefused = own.some(({ refusals }) => refusals.some(({ symbol }) => symbol === name));
  if (isRefused) return { object: "refused", inlinedInto };
  if (carried.has(name)) return { object: "carried", inlinedInto };
  if (inlinedInto.length > 0) return { object: "inlined", inlinedInto };
  // A caller that differs by itself may embed it, too.
  return callers.length > 0 ? { inlinedInto } : { object: "unchanged", inlinedInto };
}

/** `foo` of `foo.isra.0` and `foo.cold`, as the compiler names what it makes of a function. */
function sourceName(symbol: string): string {
  return symbol.replace(/\..*$/, "");
}
