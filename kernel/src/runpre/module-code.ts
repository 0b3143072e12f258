import { SymbolType } from "../elf/format.js";
import type { ElfObject, ElfRelocation, ElfSection, ElfSymbol } from "../elf/object.js";
import type { SymbolTable } from "../module/kernel-symbols.js";
import { ELSEWHERE, type KernelCode, type Place } from "./kernel-code.js";
import { inAddress } from "./relocated-field.js";

/** The code of a module: not linked yet, so that all references are still by name. */
export function moduleCode(name: string, module: ElfObject, table: SymbolTable): KernelCode {
  // The first of a name: such as `__versions`, no name of a section with code or data occurs twice.
  const sections = new Map(module.sections.toReversed().map((section) => [section.name, section]));
  const relocationsAt = ({ base, offset }: Place, size: number) => {
    const all = sections.get(base)?.relocations ?? [];
    return all.slice(firstFrom(all, offset), firstFrom(all, offset + size));
  };
  return {
    name: `module '${name}'`,
    bytes({ base, offset }, size) {
      const section = sections.get(base);
      return section && offset + size <= section.data.length
        ? section.data.subarray(offset, offset + size)
        : undefined;
    },
    symbols: (symbol) =>
      (table.get(symbol) ?? []).map(({ place, address, local }) => ({
        place: { base: place, offset: address },
        local,
      })),
    listsVariables: true,
    elsewhere: (symbol) => ({ base: `${ELSEWHERE}${symbol}`, offset: 0 }),
    leadsTo(place, _field, type) {
      const relocation = relocationsAt(place, 1).find((other) => other.type === type);
      if (!relocation) return undefined;
      const { base, offset } = placeOf(relocation.symbol);
      return { base, bits: { from: 0, to: 48, value: inAddress(offset + relocation.addend) } };
    },
    relocations: relocationsAt,
    nameAt: (place) => nearestSymbol(module, place),
  };
}

/** Index of the first relocation at or behind an offset. */
function firstFrom(relocations: readonly ElfRelocation[], offset: number): number {
  let low = 0;
  let high = relocations.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((relocations[middle]?.offset ?? 0) < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

function placeOf({ section, name, value }: ElfSymbol): Place {
  return typeof section === "object"
    ? { base: section.name, offset: value }
    : { base: `${ELSEWHERE}${name}`, offset: 0 };
}

function nearestSymbol({ symbols }: ElfObject, { base, offset }: Place): string {
  const below = (symbol: ElfSymbol): symbol is ElfSymbol & { section: ElfSection } =>
    typeof symbol.section === "object" &&
    symbol.section.name === base &&
    symbol.value <= offset &&
    symbol.name !== "" &&
    symbol.type !== SymbolType.SECTION;
  const [nearest] = symbols.filter(below).sort((a, b) => b.value - a.value);
  if (!nearest) return `${base.replace(ELSEWHERE, "")}+0x${offset.toString(16)}`;
  return `${nearest.name}+0x${(offset - nearest.value).toString(16)}`;
}
