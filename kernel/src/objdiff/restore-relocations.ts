import { SectionFlag, SymbolType } from "../elf/format.js";
import type { ElfObject, ElfRelocation, ElfSection, ElfSymbol } from "../elf/object.js";
import type { ObjectArchitecture } from "./architecture.js";
import type { Atom } from "./atoms.js";

/**
 * Functions that share a section (`.init.text`, `.sched.text`, `.noinstr.text`) call each other by distances that the
 * assembler settled. This gives a section's code the relocations it would have if each function had its own, so that
 * functions are the same wherever the others went, and can be taken out.
 * @param atoms of one section
 * @param bound takes the functions for which that is not possible, with the reason
 */
export function restoreRelocations(
  object: ElfObject,
  atoms: readonly Atom[],
  { relativeFields, isMarker }: ObjectArchitecture,
  bound: Map<Atom, string>,
): void {
  const section = atoms[0]?.section;
  const functions = atoms.filter((atom) => atom.kind === "function" && atom.end > atom.start);
  if (section === undefined || !(section.flags & SectionFlag.EXECINSTR) || functions.length < 2) return;
  const sharing = `shares section ${section.name} with other functions`;
  if (relativeFields === undefined) {
    for (const atom of functions) bound.set(atom, sharing);
    return;
  }
  const relocated = new Set(section.relocations.map(({ offset }) => offset));
  const restored: ElfRelocation[] = [];
  const data = section.data.slice();
  const isData = dataAmongCode(object, section, isMarker);
  for (const atom of functions) {
    const fields = relativeFields(section.data, atom.start + atom.entry, atom.end);
    if (fields === undefined) {
      bound.set(atom, `${sharing} and has instructions that cannot be read`);
      continue;
    }
    for (const { offset, target, type, addend, cleared } of fields) {
      if (relocated.has(offset) || isData(offset)) continue;
      if (target >= atom.start && target < atom.end) continue;
      const to = functions.find((other) => other.start <= target && target < other.end);
      const [symbol] = to?.symbols ?? [];
      if (symbol === undefined) continue;
      if (type === undefined) {
        bound.set(atom, `${sharing} and jumps to '${symbol.name}', too near for a relocation`);
        continue;
      }
      restored.push({ offset, type, symbol, addend: target - symbol.value + addend });
      data.set(cleared, offset);
    }
  }
  if (restored.length === 0) return;
  section.data = data;
  section.relocations = [...section.relocations, ...restored].sort((a, b) => a.offset - b.offset);
}

/** By the markers `$d` and `$x` (ELF for the Arm 64-bit Architecture, 5.5.5). */
function dataAmongCode(
  { symbols }: ElfObject,
  section: ElfSection,
  isMarker: (name: string) => boolean,
): (offset: number) => boolean {
  const markers = symbols
    .filter((symbol: ElfSymbol) => symbol.section === section && isMarker(symbol.name))
    .filter(({ type }) => type !== SymbolType.SECTION)
    .sort((a, b) => a.value - b.value);
  if (!markers.some(({ name }) => name.startsWith("$d"))) return () => false;
  return (offset) => markers.findLast(({ value }) => value <= offset)?.name.startsWith("$d") ?? false;
}
