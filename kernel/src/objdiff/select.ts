import { SymbolBinding } from "../elf/format.js";
import type { ElfSymbol } from "../elf/object.js";
import type { Observation } from "../observation.js";
import { type Atom, type AtomicObject, isAtom, isToEntry, type Reference } from "./atoms.js";
import type { Correlation } from "./correlate.js";
import { coldPartOf, type Judgement, newDataRefusal } from "./judge.js";
import { holdsVariables, machineryOf } from "./machinery.js";

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
  { changed, copied, replaced }: Carried,
  { origOf }: Correlation,
): boolean {
  const { target, address } = reference;
  if (!isAtom(target) || !origOf.has(target) || copied.has(target) || replaced.has(target)) return false;
  // A stored address of a redirected function must outlive the patch; ftrace leads calls through it to the new code.
  // Addresses within it belong to its own jump tables, and entries describe the code they came with.
  if (changed.has(target)) return from.kind !== "entry" && isToEntry(reference) && address;
  return target.kind === "data" || coldPartOf(target.name) === undefined;
}

/** What changed and therefore is carried. */
export interface Carried extends Pick<Judgement, "copied" | "replaced"> {
  readonly changed: ReadonlySet<Atom>;
}

/**
 * Follows everything that the changed functions refer to, and the functions and variables that are new to the whole
 * kernel: other files of the patch may use them.
 * @param called functions that the livepatch core calls
 */
export function select(
  patched: AtomicObject,
  correlation: Correlation,
  carriedAlong: Carried,
  called: readonly Atom[] = [],
): Selection {
  const { changed } = carriedAlong;
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
    refusals.push(...notMovable(atom, patched));
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
        else if (!leadsToOriginal(part, reference, carriedAlong, correlation)) queue.push(reference.target);
        else {
          // A trampoline that this very unit defines, as those of its trace points, is called like any other.
          externals.add(reference.target.name);
          refusals.push(...unreachable(reference.target, correlation));
        }
      }
  }
  const carried = new Set(patched.atoms.filter((atom) => reached.has(atom)));
  const own = new Set([...carried].flatMap(({ symbols }) => symbols));
  const keptSymbols = staticCallKeys(patched, externals).filter((symbol) => !own.has(symbol));
  return { carried, newFunctions, newData, keptSymbols, refusals };
}

function isNewGlobal(atom: Atom, { origOf }: Correlation): boolean {
  if (atom.kind !== "function" && atom.kind !== "data") return false;
  if (origOf.has(atom)) return false;
  if (atom.kind === "data" ? !holdsVariables(atom) : machineryOf(atom) !== undefined) return false;
  return atom.symbols.some(({ binding }) => binding !== SymbolBinding.LOCAL);
}

/** Code that cannot be taken out of its section, or that would be freed once the module is loaded. */
function notMovable(atom: Atom, { bound }: AtomicObject): Observation[] {
  if (atom.kind !== "function") return [];
  const { name, section } = atom;
  const about = { symbol: name, section: section.name };
  const reason = bound.get(atom);
  if (reason !== undefined)
    return [
      {
        ...about,
        rule: "unsupported-section",
        message: `function '${name}' is to be carried, but it ${reason}`,
      },
    ];
  const machinery = machineryOf(atom);
  if (machinery === undefined) return [];
  return [
    {
      ...about,
      rule: machinery.rule,
      message: `the patched code needs '${name}', which is in section ${section.name}: ${machinery.what}`,
    },
  ];
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
    ({ name, binding }) =>
      binding !== SymbolBinding.LOCAL &&
      name.startsWith("__SCK__") &&
      externals.has(name.replace("__SCK__", "__SCT__")),
  );
}
