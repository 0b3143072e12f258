import {
  FileHeader,
  FileType,
  Ident,
  MAGIC,
  RelocationEntry,
  SectionFlag,
  SectionHeader,
  SectionIndex,
  SectionType,
  SymbolEntry,
  SymbolType,
} from "./format.js";
import type { ElfObject, ElfRelocation, ElfSection, ElfSymbol, NoSection } from "./object.js";

/** The bytes are no relocatable ELF-64 file, or one that contradicts itself. */
export class ElfError extends Error {
  override readonly name = "ElfError";
}

type Header = ReturnType<typeof SectionHeader.read>;

/** The tables of the file that sections and symbols are made of. */
interface File {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly little: boolean;
  readonly headers: readonly Header[];
}

/**
 * Reads a relocatable object. Memory stays within a small multiple of the file's size, whatever the file says.
 * @throws ElfError for anything but a whole, consistent relocatable ELF-64 file
 */
export function readElf(bytes: Uint8Array): ElfObject {
  try {
    return readObject(bytes);
  } catch (error) {
    // Every access outside the file ends here: DataView and structure.ts check bounds.
    if (error instanceof RangeError) throw new ElfError("the ELF file is truncated or damaged");
    throw error;
  }
}

function readObject(bytes: Uint8Array): ElfObject {
  if (MAGIC.some((byte, index) => bytes[index] !== byte)) throw new ElfError("not an ELF file");
  if (bytes[Ident.CLASS] !== Ident.CLASS_64) throw new ElfError("not a 64-bit ELF file");
  const data = bytes[Ident.DATA];
  if (data !== Ident.LITTLE && data !== Ident.BIG) throw new ElfError("ELF file of unknown byte order");
  const little = data === Ident.LITTLE;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = FileHeader.read(view, Ident.SIZE, little);
  if (header.type !== FileType.RELOCATABLE) throw new ElfError("not a relocatable ELF file");
  if (header.sectionHeaderSize !== SectionHeader.size) throw new ElfError("section headers of unknown size");

  // gABI "Section header table": with 0xff00 sections and more, number and name index stand in the first entry.
  const first = SectionHeader.read(view, header.sectionHeaders, little);
  const count = header.sectionCount === 0 ? first.size : header.sectionCount;
  if (count * SectionHeader.size > bytes.length)
    throw new ElfError("more section headers than the file holds");
  const headers = Array.from({ length: count }, (_, index) =>
    SectionHeader.read(view, header.sectionHeaders + index * SectionHeader.size, little),
  );
  const file: File = { bytes, view, little, headers };
  const nameIndex = header.sectionNames === SectionIndex.EXTENDED ? first.link : header.sectionNames;
  const names = stringTable(file, nameIndex);

  const sections = new Map<number, ElfSection>();
  let symbolTable: number | undefined;
  for (const [index, section] of headers.entries()) {
    if (section.type === SectionType.SYMTAB) {
      if (symbolTable !== undefined) throw new ElfError("more than one symbol table");
      symbolTable = index;
    }
    if (isTable(section, index, nameIndex, headers)) continue;
    sections.set(index, {
      name: names(section.name),
      type: section.type,
      flags: section.flags,
      align: Math.max(section.align, 1),
      entrySize: section.entrySize,
      data: contents(file, section),
      relocations: [],
      otherRelocations: [],
    });
  }
  const symbols = symbolTable === undefined ? [] : readSymbols(file, symbolTable, sections);
  readRelocations(file, symbols, sections, symbolTable, names);
  return {
    machine: header.machine,
    littleEndian: little,
    osAbi: bytes[Ident.OSABI] ?? 0,
    flags: header.flags,
    sections: [...sections.values()],
    // The first entry of every symbol table is empty; relocations without symbol refer to it.
    symbols: symbols.slice(1),
  };
}

/** Whether the writer makes this section by itself, so that the graph does not hold it. */
function isTable(section: Header, index: number, nameIndex: number, headers: readonly Header[]): boolean {
  if (section.type === SectionType.STRTAB)
    return (
      index === nameIndex ||
      headers.some((other) => other.type === SectionType.SYMTAB && other.link === index)
    );
  const made: readonly number[] = [
    SectionType.NULL,
    SectionType.SYMTAB,
    SectionType.SYMTAB_SHNDX,
    SectionType.RELA,
    SectionType.REL,
    SectionType.GROUP,
  ];
  return made.includes(section.type);
}

/** A view, not a copy, of a section's bytes. */
function contents(file: File, section: Header): Uint8Array {
  if (section.type === SectionType.NOBITS) {
    // Zeros are allocated, so a header alone must not be able to ask for gigabytes.
    if (section.size > 64 * 1024 * 1024)
      throw new ElfError("a section without contents is larger than 64 MiB");
    return new Uint8Array(section.size);
  }
  if (section.offset + section.size > file.bytes.length)
    throw new ElfError("a section lies outside the file");
  return file.bytes.subarray(section.offset, section.offset + section.size);
}

/** @returns a function from an offset to the string that starts there */
function stringTable(file: File, index: number): (offset: number) => string {
  const section = file.headers[index];
  if (section?.type !== SectionType.STRTAB) throw new ElfError("a string table is missing");
  const table = contents(file, section);
  const decoder = new TextDecoder();
  return (offset) => {
    const end = table.indexOf(0, offset);
    if (offset >= table.length || end < 0) throw new ElfError("a name lies outside its string table");
    // Symbols' names are rarely as long as this; without a bound, overlapping names cost the file's size each.
    if (end - offset > 4096) throw new ElfError("a name is longer than 4096 bytes");
    return decoder.decode(table.subarray(offset, end));
  };
}

function readSymbols(file: File, index: number, sections: ReadonlyMap<number, ElfSection>): ElfSymbol[] {
  const table = file.headers[index];
  if (table === undefined || table.entrySize !== SymbolEntry.size)
    throw new ElfError("symbols of unknown size");
  const names = stringTable(file, table.link);
  const size = contents(file, table).length;
  const extended = file.headers.find(
    (other) => other.type === SectionType.SYMTAB_SHNDX && other.link === index,
  );
  return Array.from({ length: Math.floor(size / SymbolEntry.size) }, (_, number) => {
    const entry = SymbolEntry.read(file.view, table.offset + number * SymbolEntry.size, file.little);
    const place =
      entry.section === SectionIndex.EXTENDED && extended
        ? file.view.getUint32(extended.offset + number * 4, file.little)
        : entry.section;
    const section = sections.get(place) ?? noSection(entry.section);
    const type = entry.info & 0xf;
    const ownName = names(entry.name);
    return {
      // Section symbols carry no name of their own in most objects; people know them by their section's.
      name:
        ownName === "" && typeof section === "object" && type === SymbolType.SECTION ? section.name : ownName,
      binding: entry.info >> 4,
      type,
      other: entry.other,
      section,
      value: entry.value,
      size: entry.size,
    };
  });
}

function noSection(index: number): NoSection {
  switch (index) {
    case SectionIndex.ABSOLUTE:
      return "absolute";
    case SectionIndex.COMMON:
      return "common";
    case SectionIndex.LIVEPATCH:
      return "livepatch";
    default:
      // Symbols of sections that the graph does not hold (groups, tables) are of no use to anybody.
      return "undefined";
  }
}

function readRelocations(
  file: File,
  symbols: readonly ElfSymbol[],
  sections: ReadonlyMap<number, ElfSection>,
  symbolTable: number | undefined,
  names: (offset: number) => string,
): void {
  const entry = file.little ? RelocationEntry.little : RelocationEntry.big;
  for (const table of file.headers) {
    const target = sections.get(table.info);
    if (target === undefined) continue;
    // REL carries addends in place; no 64-bit target of the kernel uses it for what is loaded.
    if (table.type === SectionType.REL && target.flags & SectionFlag.ALLOC)
      throw new ElfError("relocations without addends");
    if (table.type !== SectionType.RELA) continue;
    if (table.link !== symbolTable) throw new ElfError("relocations refer to another symbol table");
    if (table.entrySize !== entry.size) throw new ElfError("relocations of unknown size");
    const size = contents(file, table).length;
    const relocations: ElfRelocation[] = [];
    for (let at = 0; at + entry.size <= size; at += entry.size) {
      const { offset, type, symbol: number, addend } = entry.read(file.view, table.offset + at, file.little);
      const symbol = symbols[number];
      if (symbol === undefined) throw new ElfError("a relocation refers to no symbol");
      if (offset >= target.data.length) throw new ElfError("a relocation lies outside its section");
      relocations.push({ offset, type, symbol, addend });
    }
    const name = names(table.name);
    if (name.startsWith(".klp.rela.")) {
      target.otherRelocations.push({ name, flags: table.flags, relocations });
    } else {
      // A file may hold several tables for a section; one sorted list serves all readers.
      target.relocations = target.relocations.concat(relocations).sort((a, b) => a.offset - b.offset);
    }
  }
}
