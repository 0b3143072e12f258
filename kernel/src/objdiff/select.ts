import { SymbolBinding } from "../elf/format.js";
import type { ElfSymbol } from "../elf/object.js";
import type { Observation } from "../observation.js";
import { type Atom, type AtomicObject, isAtom, type Reference } from "./atoms.js";
import type { Correlation } from "./correlate.js";
import { coldPartOf, machineryOf, newDataRefusal } from "./judge.js";

/** What the hot patch takes along, and how what it refers to is found in the running kernel. */
export interface Selection {
  /** In the order of PATCHED; empty when neither a function changed nor a global one is new. */
  readonly carried: ReadonlySet<Atom>;
  /** Carried functions that ORIG does not have. */
  readonly newFunctions: readonly Atom[];
  /** Carried variables that ORIG does not have. */
  readonly newData: readonly Atom[];
  /** Keys of static calls, which objtool looks up by name. */
  readonly keptSymbols: readonly ElfSymbol[];
  readonly refusals: readonly Observation[];
}

/** Whether a reference leads to the running kernel's own copy although PATCHED defines the target. */
export function leadsToOriginal(
  from: Atom,
  reference: Reference,
  changed: ReadonlySet<Atom>,
  { architecture }: AtomicObject,
  { origOf }: Correlation,
): boolean {
  const { target, type, at } = reference;
  if (!isAtom(target) || !origOf.has(target)) return false;
  // A stored address of a redirected function must outlive the patch; ftrace leads calls through it to the new code.
  // Addresses within it belong to its own jump tables, and entries describe the code they came with.
  if (changed.has(target)) return from.kind !== "entry" && at === 0 && architecture.pointers.has(type);
  return target.kind === "data" || coldPartOf(target.name) === undefined;
}

/**
 * Follows everything that the changed functions refer to, and the functions and variables that are new to the whole
 * kernel: other files of the patch may use them.
 * @param called functions that the livepatch core calls
 */
export function select(
  patched: AtomicObject,
  correlation: Correlation,
  changedFunctions: readonly Atom[],
  called: readonly Atom[] = [],
): Selection {
  const changed = new Set(changedFunctions);
  const reached = new Set<Atom>();
  const refusals: Observation[] = [];
  const newFunctions: Atom[] = [];
  const newData: Atom[] = [];
  const externals = new Set<string>();

  const queue: Atom[] = [
    ...changed,
    ...called,
    ...patched.atoms.filter((atom) => isNewGlobal(atom, correlation)),
  ];
  for (let atom = queue.pop(); atom !== undefined; atom = queue.pop()) {
    if (reached.has(atom)) continue;
    reached.add(atom);
    if (!correlation.origOf.has(atom)) {
      if (atom.kind === "function" && coldPartOf(atom.name) === undefined) newFunctions.push(atom);
      if (atom.kind === "data") {
        newData.push(atom);
        const refusal = newDataRefusal(atom);
        if (refusal) refusals.push(refusal);
      }
    }
    for (const part of [atom, ...atom.entries])
      for (const reference of part.references) {
        if (!isAtom(reference.target)) externals.add(reference.target.name);
        else if (!leadsToOriginal(part, reference, changed, patched, correlation))
          queue.push(reference.target);
        else refusals.push(...unreachable(reference.target, correlation));
      }
  }
  const carried = new Set(patched.atoms.filter((atom) => reached.has(atom)));
  return { carried, newFunctions, newData, keptSymbols: staticCallKeys(patched, externals), refusals };
}

function isNewGlobal(atom: Atom, { origOf }: Correlation): boolean {
  if (atom.kind !== "function" && atom.kind !== "data") return false;
  if (origOf.has(atom) || machineryOf(atom) !== undefined) return false;
  return atom.symbols.some(({ binding }) => binding !== SymbolBinding.LOCAL);
}

/** Original code and data must have a name to be found by. */
function unreachable(target: Atom, { origOf }: Correlation): Observation[] {
  const orig = origOf.get(target);
  if (orig !== undefined && orig.name !== "") return [];
  return [
    {
      rule: "unsupported-section",
      section: target.section.name,
      message: `the patched code uses something without a name in section ${target.section.name}`,
    },
  ];
}

/** `__SCK__name` for each `__SCT__name` called (tools/objtool/check.c, create_static_call_sections). */
function staticCallKeys({ object }: AtomicObject, externals: ReadonlySet<string>): ElfSymbol[] {
  return object.symbols.filter(
    ({ name, section, binding }) =>
      section === "undefined" &&
      binding !== SymbolBinding.LOCAL &&
      name.startsWith("__SCK__") &&
      externals.has(name.replace("__SCK__", "__SCT__")),
  );
}
