import { SectionFlag, SectionType, SymbolBinding, SymbolType } from "../elf/format.js";
import type { ElfObject, ElfRelocation, ElfSection, ElfSymbol } from "../elf/object.js";
import { alignUp } from "../elf/write.js";

/**
 * Joins objects into one, as `ld -r` would: sections of one name one behind the other, undefined symbols bound to the
 * definitions among the objects. The module loader finds its tables by name and wants one of each.
 * The objects given are used up: their symbols become those of the result.
 * @returns an object without debug information and without what only build tools read
 */
export function joinObjects(objects: readonly [ElfObject, ...ElfObject[]]): ElfObject {
  const joined = new Map<string, ElfSection>();
  const pieces = new Map<ElfSection, { into: ElfSection; at: number; data: Uint8Array }[]>();
  const sizes = new Map<ElfSection, number>();
  const moved = new Map<ElfSection, { into: ElfSection; at: number }>();
  for (const section of objects.flatMap((object) => object.sections)) {
    if (!isLoaded(section)) continue;
    const into = joined.get(section.name) ?? emptyLike(section);
    joined.set(section.name, into);
    // A table that one file has in memory without contents and another with them.
    if (section.type !== SectionType.NOBITS) into.type = section.type;
    into.flags |= section.flags & ~SectionFlag.LINK_ORDER;
    into.align = Math.max(into.align, section.align);
    const at = alignUp(sizes.get(into) ?? 0, section.align);
    sizes.set(into, at + section.data.length);
    moved.set(section, { into, at });
    const list = pieces.get(into) ?? [];
    list.push({ into, at, data: section.data });
    pieces.set(into, list);
  }
  for (const [into, list] of pieces) {
    into.data = new Uint8Array(sizes.get(into) ?? 0);
    for (const { at, data } of list) into.data.set(data, at);
  }

  const { symbols, finalOf } = joinSymbols(objects, moved);
  for (const [section, { into, at }] of moved) {
    const shift = (relocation: ElfRelocation): ElfRelocation => {
      const { symbol, ahead } = finalOf(relocation.symbol);
      return { ...relocation, symbol, offset: relocation.offset + at, addend: relocation.addend + ahead };
    };
    into.relocations.push(...section.relocations.map(shift));
    for (const table of section.otherRelocations) {
      const known = into.otherRelocations.find((other) => other.name === table.name);
      if (known) known.relocations.push(...table.relocations.map(shift));
      else into.otherRelocations.push({ ...table, relocations: table.relocations.map(shift) });
    }
  }
  const [{ machine, littleEndian, osAbi, flags }] = objects;
  return { machine, littleEndian, osAbi, flags, sections: [...joined.values()], symbols };
}

function isLoaded({ name, flags, type }: ElfSection): boolean {
  return (flags & SectionFlag.ALLOC) !== 0 && type !== SectionType.NOTE && !name.startsWith(".discard");
}

/** Without the section that it describes: joined, it describes several. */
function emptyLike({ name, type, flags, align, entrySize }: ElfSection): ElfSection {
  return {
    ...{ name, type, flags: flags & ~SectionFlag.LINK_ORDER, align, entrySize },
    ...{ data: new Uint8Array(0), relocations: [], otherRelocations: [] },
  };
}

/** The symbol that a relocation refers to from now on, and how far ahead of it what it meant now lies. */
interface Final {
  readonly symbol: ElfSymbol;
  readonly ahead: number;
}

function joinSymbols(
  objects: readonly ElfObject[],
  moved: ReadonlyMap<ElfSection, { into: ElfSection; at: number }>,
): { symbols: ElfSymbol[]; finalOf: (symbol: ElfSymbol) => Final } {
  const all = objects.flatMap((object) => object.symbols);
  const definitions = new Map<string, ElfSymbol>();
  for (const symbol of all)
    if (symbol.binding !== SymbolBinding.LOCAL && typeof symbol.section === "object")
      definitions.set(symbol.name, symbol);
  const sectionSymbols = new Map<ElfSection, ElfSymbol>();
  const elsewhere = new Map<string, ElfSymbol>();
  const final = new Map<ElfSymbol, Final>();
  for (const symbol of all) {
    const { section } = symbol;
    if (section === "undefined" || section === "livepatch") {
      const known = definitions.get(symbol.name) ?? elsewhere.get(symbol.name) ?? symbol;
      if (known === symbol) elsewhere.set(symbol.name, symbol);
      final.set(symbol, { symbol: known, ahead: 0 });
      continue;
    }
    if (typeof section === "string") {
      final.set(symbol, { symbol, ahead: 0 });
      continue;
    }
    const place = moved.get(section);
    if (place === undefined) continue;
    symbol.section = place.into;
    if (symbol.type !== SymbolType.SECTION) {
      symbol.value += place.at;
      final.set(symbol, { symbol, ahead: 0 });
      continue;
    }
    // One symbol for the joined section: each file's own piece lies somewhere within.
    const known = sectionSymbols.get(place.into) ?? symbol;
    sectionSymbols.set(place.into, known);
    final.set(symbol, { symbol: known, ahead: place.at });
  }
  const symbols = [...new Set([...final.values()].map(({ symbol }) => symbol))];
  return { symbols, finalOf: (symbol) => final.get(symbol) ?? { symbol, ahead: 0 } };
}
