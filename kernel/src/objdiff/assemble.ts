import { SectionFlag, SymbolBinding, SymbolType } from "../elf/format.js";
import { type ElfObject, type ElfSection, type ElfSymbol, sectionSymbol } from "../elf/object.js";
import { alignUp } from "../elf/write.js";
import { type Atom, type AtomicObject, bytesOf, isAtom, type Reference } from "./atoms.js";
import type { Correlation } from "./correlate.js";
import { type Carried, leadsToOriginal, type Selection } from "./select.js";

/**
 * Makes diff.o: what is carried, sections of one name joined. What stays in the running kernel is an undefined symbol
 * under the name that ORIG has for it. Redirected functions are local, new ones keep their binding, so that several
 * files of one patch find each other's new functions.
 */
export function assemble(
  orig: AtomicObject,
  patched: AtomicObject,
  correlation: Correlation,
  carriedAlong: Carried,
  selection: Selection,
): ElfObject {
  const pieces = [...selection.carried].flatMap((atom) => [atom, ...atom.entries]);
  const places = new Map<Atom, { section: ElfSection; offset: number }>();
  const sections = joinSections(pieces, places);
  const symbols: ElfSymbol[] = [fileSymbol(patched.object)];
  const sectionSymbols = new Map<ElfSection, ElfSymbol>();
  for (const section of sections) {
    const symbol = sectionSymbol(section);
    sectionSymbols.set(section, symbol);
    symbols.push(symbol);
  }

  const own = new Map<ElfSymbol, ElfSymbol>();
  for (const atom of pieces) {
    const place = places.get(atom);
    if (place === undefined) continue;
    for (const symbol of atom.symbols) {
      const isNew = !correlation.origOf.has(atom);
      const copy = {
        ...symbol,
        binding: isNew ? symbol.binding : SymbolBinding.LOCAL,
        section: place.section,
        value: place.offset + symbol.value - atom.start,
      };
      own.set(symbol, copy);
      symbols.push(copy);
    }
  }

  const undefinedSymbols = new Map<string, ElfSymbol>();
  const undefinedSymbol = (name: string, type: number): ElfSymbol => {
    const known = undefinedSymbols.get(name);
    if (known !== undefined) return known;
    const symbol: ElfSymbol = {
      ...EMPTY_SYMBOL,
      name,
      type,
      binding: SymbolBinding.GLOBAL,
      section: "undefined",
    };
    undefinedSymbols.set(name, symbol);
    symbols.push(symbol);
    return symbol;
  };

  const resolve = (from: Atom, reference: Reference): { symbol: ElfSymbol; addend: number } => {
    const { target, at, bias } = reference;
    if (!isAtom(target)) return { symbol: undefinedSymbol(target.name, SymbolType.NONE), addend: at - bias };
    const original = correlation.origOf.get(target);
    if (original && leadsToOriginal(from, reference, carriedAlong, correlation))
      return { symbol: undefinedSymbol(original.name, SymbolType.NONE), addend: at - target.entry - bias };
    // Named where it was named before: objtool takes a jump to another function's name for a tail call.
    const named = own.get(reference.symbol);
    if (named) return { symbol: named, addend: at - bias + target.start - reference.symbol.value };
    const place = places.get(target);
    const symbol = place && sectionSymbols.get(place.section);
    if (!place || !symbol) throw new Error(`nothing was selected for a reference to ${target.section.name}`);
    return { symbol, addend: place.offset + at - bias };
  };

  for (const atom of pieces) {
    const place = places.get(atom);
    for (const reference of atom.references)
      place?.section.relocations.push({
        offset: place.offset + reference.offset,
        type: reference.type,
        ...resolve(atom, reference),
      });
  }
  for (const { name, type } of selection.keptSymbols) undefinedSymbol(name, type);
  const { machine, littleEndian, osAbi, flags } = orig.object;
  return { machine, littleEndian, osAbi, flags, sections, symbols };
}

const EMPTY_SYMBOL = { binding: SymbolBinding.LOCAL, other: 0, value: 0, size: 0 } as const;

function fileSymbol({ symbols }: ElfObject): ElfSymbol {
  const name = symbols.find((symbol) => symbol.type === SymbolType.FILE)?.name ?? "";
  return { ...EMPTY_SYMBOL, name, type: SymbolType.FILE, section: "absolute" };
}

/** Lays the pieces out in sections, one per name, and notes where each went. */
function joinSections(
  pieces: readonly Atom[],
  places: Map<Atom, { section: ElfSection; offset: number }>,
): ElfSection[] {
  const byName = new Map<string, { section: ElfSection; pieces: Atom[]; size: number }>();
  for (const piece of pieces) {
    const { name, type, flags, align, entrySize } = piece.section;
    const known = byName.get(name);
    const joined = known ?? {
      section: {
        name,
        type,
        // Groups and link orders point at sections of the old file.
        flags: flags & ~(SectionFlag.GROUP | SectionFlag.LINK_ORDER),
        align,
        entrySize,
        data: new Uint8Array(0),
        relocations: [],
        otherRelocations: [],
      },
      pieces: [],
      size: 0,
    };
    byName.set(name, joined);
    joined.section.align = Math.max(joined.section.align, align);
    const offset = alignUp(joined.size + piece.entry, alignmentOf(piece)) - piece.entry;
    places.set(piece, { section: joined.section, offset });
    joined.pieces.push(piece);
    joined.size = offset + (piece.end - piece.start);
  }
  for (const { section, pieces: own, size } of byName.values()) {
    section.data = new Uint8Array(size);
    for (const piece of own) section.data.set(bytesOf(piece), places.get(piece)?.offset ?? 0);
  }
  return [...byName.values()].map(({ section }) => section);
}

/** The largest power of two, up to the section's own alignment, on which the piece's entry stood before. */
function alignmentOf({ section, start, entry }: Atom): number {
  let align = Math.max(section.align, 1);
  while ((start + entry) % align !== 0) align /= 2;
  return Math.max(align, 1);
}
