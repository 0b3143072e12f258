import type { ElfSymbol } from "../elf/object.js";
import type { ObjectArchitecture } from "./architecture.js";
import { type Atom, bytesOf, isAtom, type Reference } from "./atoms.js";
import type { Correlation } from "./correlate.js";

/** @returns a function that says whether an atom of ORIG and one of PATCHED mean the same */
export function comparer(
  { origOf }: Correlation,
  architecture: ObjectArchitecture,
): (orig: Atom, patched: Atom) => boolean {
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
      orig.at === patched.at &&
      sameTarget(orig.target, patched.target)
    );
  }

  function sameContent(orig: Atom, patched: Atom): boolean {
    return (
      sameBytes(orig, patched, architecture) &&
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

  return (orig, patched) => sameContent(orig, patched) && sameEntries(orig, patched);
}

function sameBytes(orig: Atom, patched: Atom, { special }: ObjectArchitecture): boolean {
  const [a, b] = [bytesOf(orig), bytesOf(patched)];
  const line = orig.kind === "entry" ? special[orig.section.name]?.line : undefined;
  if (line === undefined) return Buffer.compare(a, b) === 0;
  return (
    Buffer.compare(a.subarray(0, line), b.subarray(0, line)) === 0 &&
    Buffer.compare(a.subarray(line + 2), b.subarray(line + 2)) === 0
  );
}
