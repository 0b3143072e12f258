import { SectionType, SymbolBinding, SymbolType } from "./format.js";

/** Where a symbol lives when it is in no section; `livepatch` is resolved by the kernel's livepatch core. */
export type NoSection = "undefined" | "absolute" | "common" | "livepatch";

/** A relocatable object as a graph: things refer to each other directly; indices exist only in files. */
export interface ElfObject {
  /** `e_machine`, see `Machine` in format.ts. */
  machine: number;
  littleEndian: boolean;
  osAbi: number;
  /** `e_flags`. */
  flags: number;
  /**
   * Without symbol, string and relocation tables: the writer makes those. Without groups too: what is in one is a
   * section like any other.
   */
  sections: ElfSection[];
  /** Locals first, as in the file; section symbols among them. */
  symbols: ElfSymbol[];
}

export interface ElfSection {
  name: string;
  type: number;
  flags: number;
  align: number;
  entrySize: number;
  /** Contents; for a section without any in the file (NOBITS) an array of zeros of its size. */
  data: Uint8Array;
  /**
   * By ascending offset. Of what is not loaded (debug information) they are read when first asked for.
   * @throws ElfError when these are damaged
   */
  relocations: ElfRelocation[];
  /** Further tables for the same section, such as `.klp.rela.*`. */
  otherRelocations: { name: string; flags: number; relocations: ElfRelocation[] }[];
  /** What this section describes, if `SectionFlag.LINK_ORDER` is set. */
  linkOrder?: ElfSection;
}

export interface ElfSymbol {
  name: string;
  binding: number;
  type: number;
  /** `st_other`: visibility, and what the processor supplement adds. */
  other: number;
  section: ElfSection | NoSection;
  value: number;
  size: number;
}

/** A section with contents (gABI: SHT_PROGBITS) and, so far, without relocations. */
export function newSection(
  name: string,
  flags: number,
  align: number,
  data: Uint8Array = new Uint8Array(0),
): ElfSection {
  const entrySize = 0;
  return {
    name,
    type: SectionType.PROGBITS,
    flags,
    align,
    entrySize,
    data,
    relocations: [],
    otherRelocations: [],
  };
}

/** The symbol that stands for a section itself (gABI: STT_SECTION). */
export function sectionSymbol(section: ElfSection): ElfSymbol {
  const { name } = section;
  return {
    name,
    binding: SymbolBinding.LOCAL,
    type: SymbolType.SECTION,
    other: 0,
    section,
    value: 0,
    size: 0,
  };
}

export interface ElfRelocation {
  /** Bytes from the section's start. */
  offset: number;
  /** Number of the processor supplement. */
  type: number;
  symbol: ElfSymbol;
  addend: number;
}
