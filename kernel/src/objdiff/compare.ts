import type { ElfSymbol } from "../elf/object.js";
import type { ObjectArchitecture } from "./architecture.js";
import { type Atom, isAtom, type Reference, usedBytesOf } from "./atoms.js";
import type { Correlation } from "./correlate.js";
import { sameButForLines } from "./source-lines.js";

/** Says whether an atom of ORIG and one of PATCHED mean the same. */
export interface Comparer {
  readonly same: (orig: Atom, patched: Atom) => boolean;
  /** @returns the first place in PATCHED's atom where the two differ; undefined when they are the same */
  readonly firstDifference: (orig: Atom, patched: Atom) => number | undefined;
}

export function comparer({ origOf }: Correlation, architecture: ObjectArchitecture): Comparer {
  // Constants are compared by content wherever they are used: each pair once, also where they go round in circles.
  const known = new Map<Atom, Map<Atom, boolean>>();

  function sameConstant(orig: Atom, patched: Atom): boolean {
    const results = known.get(orig) ?? new Map<Atom, boolean>();
    known.set(orig, results);
    const result = results.get(patched);
    if (result !== undefined) return result;
    results.set(patched, true);
    const same = sameContent(orig, patched);
    results.set(patched, same);
    return same;
  }

  function sameTarget(orig: Atom | ElfSymbol, patched: Atom | ElfSymbol): boolean {
    if (!isAtom(orig) || !isAtom(patched))
      return !isAtom(orig) && !isAtom(patched) && orig.name === patched.name;
    if (patched.kind === "constant") return orig.kind === "constant" && sameConstant(orig, patched);
    return origOf.get(patched) === orig;
  }

  function sameReference(orig: Reference | undefined, patched: Reference): boolean {
    return (
      orig !== undefined &&
      orig.offset === patched.offset &&
      orig.type === patched.type &&
      offsetInTarget(orig) === offsetInTarget(patched) &&
      sameTarget(orig.target, patched.target)
    );
  }

  function sameContent(orig: Atom, patched: Atom): boolean {
    return (
      sameButForLines(orig, patched, architecture) &&
      orig.references.length === patched.references.length &&
      patched.references.every((reference, index) => sameReference(orig.references[index], reference))
    );
  }

  function sameEntries(orig: Atom, patched: Atom): boolean {
    return (
      orig.entries.length === patched.entries.length &&
      patched.entries.every((entry, index) => {
        const other = orig.entries[index];
        return other !== undefined && other.section.name === entry.section.name && sameContent(other, entry);
      })
    );
  }

  const same = (orig: Atom, patched: Atom) => sameContent(orig, patched) && sameEntries(orig, patched);

  function firstDifference(orig: Atom, patched: Atom): number | undefined {
    if (same(orig, patched)) return undefined;
    const [before, after] = [usedBytesOf(orig), usedBytesOf(patched)];
    const byte = after.findIndex((value, index) => value !== before[index]);
    const reference = patched.references.find(
      (other, index) => !sameReference(orig.references[index], other),
    );
    const places = [byte < 0 ? undefined : byte, reference?.offset].filter((place) => place !== undefined);
    return places.length > 0 ? Math.min(...places) : Math.min(before.length, after.length);
  }

  return { same, firstDifference };
}

/** Functions are called at their entry, with or without room in front of it. */
function offsetInTarget({ target, at }: Reference): number {
  return isAtom(target) ? at - target.entry : at;
}
