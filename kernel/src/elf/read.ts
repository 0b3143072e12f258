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
import { readI64, readU64 } from "./structure.js";

/** The bytes are no relocatable ELF-64 file, or one that contradicts itself or is beyond all bounds. */
export class ElfError extends Error {
  override readonly name = "ElfError";
}

/** What a header alone may ask for: neither is backed by bytes of the file. */
const LIMIT = { zeros: 64 * 1024 * 1024, align: 1024 * 1024 };
/** Symbols' names are rarely as long; without a bound, each could have most of the file for its name. */
const LONGEST_NAME = 4096;

type Header = ReturnType<typeof SectionHeader.read>;

/** Field by field, since an object has thousands. */
function readHeader(view: DataView, offset: number, little: boolean): Header {
  const { at } = SectionHeader;
  return {
    name: view.getUint32(offset + at.name, little),
    type: view.getUint32(offset + at.type, little),
    flags: readU64(view, offset + at.flags, little),
    address: readU64(view, offset + at.address, little),
    offset: readU64(view, offset + at.offset, little),
    size: readU64(view, offset + at.size, little),
    link: view.getUint32(offset + at.link, little),
    info: view.getUint32(offset + at.info, little),
    align: readU64(view, offset + at.align, little),
    entrySize: readU64(view, offset + at.entrySize, little),
  };
}

/** The tables of the file that sections and symbols are made of. */
interface File {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly little: boolean;
  readonly headers: readonly Header[];
}

/**
 * Reads a relocatable object. Memory and time stay within a small multiple of the file's size, whatever the file says.
 * @throws ElfError for anything but a whole, consistent relocatable ELF-64 file
 */
export function readElf(bytes: Uint8Array): ElfObject {
  // Of a Buffer, each section would be one too, which takes many times as long to make.
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return withinBounds(() => readObject(plain));
}

/** Every access outside the file ends here: DataView and structure.ts check bounds. */
function withinBounds<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
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
  if (header.sectionHeaders + count * SectionHeader.size > bytes.length)
    throw new ElfError("more section headers than the file holds");
  const headers = Array.from({ length: count }, (_, index) =>
    readHeader(view, header.sectionHeaders + index * SectionHeader.size, little),
  );
  checkPlaces(headers, [
    { offset: 0, size: Ident.SIZE + FileHeader.size },
    { offset: header.sectionHeaders, size: count * SectionHeader.size },
  ]);
  const file: File = { bytes, view, little, headers };
  const nameIndex = header.sectionNames === SectionIndex.EXTENDED ? first.link : header.sectionNames;
  const names = stringTable(file, nameIndex);

  const symbolTables = [...headers.keys()].filter((index) => headers[index]?.type === SectionType.SYMTAB);
  if (symbolTables.length > 1) throw new ElfError("more than one symbol table");
  const [symbolTable] = symbolTables;
  const made = new Set([nameIndex, symbolTable === undefined ? undefined : headers[symbolTable]?.link]);
  const sections = new Map<number, ElfSection>();
  for (const [index, section] of headers.entries())
    if (!MADE_BY_WRITER.has(section.type) && !(section.type === SectionType.STRTAB && made.has(index)))
      sections.set(index, readSection(file, section, names));
  for (const [index, section] of sections) addLinkOrder(section, sections.get(headers[index]?.link ?? 0));
  const symbols = symbolTable === undefined ? [] : readSymbols(file, symbolTable, sections);
  addRelocations(file, symbols, sections, symbolTable, names);
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

/** Sections that the writer makes by itself, so that the graph does not hold them. */
const MADE_BY_WRITER: ReadonlySet<number> = new Set([
  SectionType.NULL,
  SectionType.SYMTAB,
  SectionType.SYMTAB_SHNDX,
  SectionType.RELA,
  SectionType.REL,
  SectionType.GROUP,
]);

/**
 * gABI "Sections": sections in a file may not overlap. Without that, a small file could hold any number of large
 * tables.
 * @param taken what else has its place in the file
 */
function checkPlaces(headers: readonly Header[], taken: { offset: number; size: number }[]): void {
  const places = [...taken];
  let zeros = 0;
  for (const header of headers)
    if (header.type === SectionType.NOBITS) zeros += header.size;
    else if (header.type !== SectionType.NULL && header.size > 0) places.push(header);
  if (zeros > LIMIT.zeros) throw new ElfError("sections without contents are larger than 64 MiB");
  places.sort((a, b) => a.offset - b.offset);
  let end = 0;
  for (const { offset, size } of places) {
    if (offset < end) throw new ElfError("sections overlap");
    end = offset + size;
  }
}

function readSection(file: File, header: Header, names: (offset: number) => string): ElfSection {
  const align = Math.max(header.align, 1);
  if (align > LIMIT.align || (align & (align - 1)) !== 0)
    throw new ElfError(`a section is aligned to ${align} bytes`);
  return {
    name: names(header.name),
    type: header.type,
    flags: header.flags - (hasFlag(header, SectionFlag.GROUP) ? SectionFlag.GROUP : 0),
    align,
    entrySize: header.entrySize,
    data: contents(file, header),
    relocations: [],
    otherRelocations: [],
  };
}

/** The flags that we ask for are in the lower half; bit operations would take the upper half away. */
function hasFlag({ flags }: { flags: number }, flag: number): boolean {
  return (flags & flag) !== 0;
}

function addLinkOrder(section: ElfSection, described: ElfSection | undefined): void {
  if (!hasFlag(section, SectionFlag.LINK_ORDER)) return;
  // Zero is allowed: the section then describes nothing in particular (GNU as, `.section` flag "o").
  if (described !== undefined) section.linkOrder = described;
}

/** A view, not a copy, of a section's bytes. */
function contents(file: File, section: Header): Uint8Array {
  if (section.type === SectionType.NOBITS) return new Uint8Array(section.size);
  checkLies(file, section);
  return file.bytes.subarray(section.offset, section.offset + section.size);
}

function checkLies(file: File, { offset, size }: Header): void {
  if (offset + size > file.bytes.length) throw new ElfError("a section lies outside the file");
}

/** @returns how many entries a table has, which stand one behind the other from its offset on */
function countEntries(file: File, table: Header, entrySize: number, what: string): number {
  if (table.entrySize !== entrySize) throw new ElfError(`${what} of unknown size`);
  checkLies(file, table);
  if (table.size % entrySize !== 0) throw new ElfError(`a table of ${what} ends within an entry`);
  return table.size / entrySize;
}

/**
 * A name is whatever bytes stand there, one character each, so that it is written again as it was.
 * @returns a function from an offset to the string that starts there
 */
function stringTable(file: File, index: number): (offset: number) => string {
  const section = file.headers[index];
  if (section?.type !== SectionType.STRTAB) throw new ElfError("a string table is missing");
  const table = contents(file, section);
  // Decoded once: names are then parts of it, which cost the same however much they overlap.
  const text = Buffer.from(table.buffer, table.byteOffset, table.byteLength).toString("latin1");
  return (offset) => {
    if (offset >= text.length) throw new ElfError("a name lies outside its string table");
    const end = text.indexOf("\0", offset);
    if (end < 0) throw new ElfError("a name lies outside its string table");
    if (end - offset > LONGEST_NAME) throw new ElfError(`a name is longer than ${LONGEST_NAME} bytes`);
    return text.slice(offset, end);
  };
}

function readSymbols(file: File, index: number, sections: ReadonlyMap<number, ElfSection>): ElfSymbol[] {
  const { view, little, headers } = file;
  const table = headers[index];
  if (table === undefined) return [];
  const count = countEntries(file, table, SymbolEntry.size, "symbols");
  const names = stringTable(file, table.link);
  const extended = headers.find((other) => other.type === SectionType.SYMTAB_SHNDX && other.link === index);
  const extendedCount = extended ? countEntries(file, extended, 4, "section indices") : 0;
  const { name: NAME, info: INFO, other: OTHER, section: SECTION, value: VALUE, size: SIZE } = SymbolEntry.at;
  return Array.from({ length: count }, (_, number): ElfSymbol => {
    const at = table.offset + number * SymbolEntry.size;
    const info = view.getUint8(at + INFO);
    const short = view.getUint16(at + SECTION, little);
    const section =
      extended && short === SectionIndex.EXTENDED && number < extendedCount
        ? sections.get(view.getUint32(extended.offset + number * 4, little))
        : (sections.get(short) ?? noSection(short, headers.length));
    if (section === undefined) throw new ElfError("a symbol lies in a section that does not exist");
    const ownName = names(view.getUint32(at + NAME, little));
    const type = info & 0xf;
    const value = readU64(view, at + VALUE, little);
    if (typeof section === "object" && value > section.data.length)
      throw new ElfError("a symbol lies outside its section");
    return {
      // Section symbols carry no name of their own in most objects; people know them by their section's.
      name:
        ownName === "" && typeof section === "object" && type === SymbolType.SECTION ? section.name : ownName,
      binding: info >> 4,
      type,
      other: view.getUint8(at + OTHER),
      section,
      value,
      size: readU64(view, at + SIZE, little),
    };
  });
}

function noSection(index: number, count: number): NoSection {
  switch (index) {
    case SectionIndex.ABSOLUTE:
      return "absolute";
    case SectionIndex.COMMON:
      return "common";
    case SectionIndex.LIVEPATCH:
      return "livepatch";
    default:
      if (index >= count) throw new ElfError("a symbol lies in a section that does not exist");
      // Symbols of sections that the graph does not hold (groups, tables) are of no use to anybody.
      return "undefined";
  }
}

function addRelocations(
  file: File,
  symbols: readonly ElfSymbol[],
  sections: ReadonlyMap<number, ElfSection>,
  symbolTable: number | undefined,
  names: (offset: number) => string,
): void {
  const tables = new Map<ElfSection, Header[]>();
  for (const table of file.headers) {
    if (table.type !== SectionType.RELA && table.type !== SectionType.REL) continue;
    const target = sections.get(table.info);
    if (target === undefined) throw new ElfError("relocations belong to no section");
    // REL carries addends in place; no 64-bit target of the kernel uses it for what is loaded.
    if (table.type === SectionType.REL) {
      if (hasFlag(target, SectionFlag.ALLOC)) throw new ElfError("relocations without addends");
      continue;
    }
    if (table.link !== symbolTable) throw new ElfError("relocations refer to another symbol table");
    const name = names(table.name);
    if (name.startsWith(".klp.rela."))
      target.otherRelocations.push({
        name,
        flags: table.flags,
        relocations: readRelocations(file, [table], symbols, target),
      });
    else {
      const known = tables.get(target);
      if (known === undefined) tables.set(target, [table]);
      else known.push(table);
    }
  }
  for (const [target, own] of tables) {
    const read = () => readRelocations(file, own, symbols, target);
    if (hasFlag(target, SectionFlag.ALLOC)) target.relocations = read();
    else readWhenAsked(target, () => withinBounds(read));
  }
}

/** Most relocations of a kernel object belong to debug information, which is often not looked at. */
function readWhenAsked(section: ElfSection, read: () => ElfRelocation[]): void {
  let known: ElfRelocation[] | undefined;
  Object.defineProperty(section, "relocations", {
    enumerable: true,
    configurable: true,
    get: () => {
      known ??= read();
      return known;
    },
    set: (relocations: ElfRelocation[]) => {
      known = relocations;
    },
  });
}

/** A file may hold several tables for a section; one sorted list serves all readers. */
function readRelocations(
  file: File,
  tables: readonly Header[],
  symbols: readonly ElfSymbol[],
  { data }: ElfSection,
): ElfRelocation[] {
  const { view, little } = file;
  const entry = little ? RelocationEntry.little : RelocationEntry.big;
  const { offset: OFFSET, type: TYPE, symbol: SYMBOL, addend: ADDEND } = entry.at;
  const relocations: ElfRelocation[] = [];
  let [last, ordered] = [0, true];
  for (const table of tables) {
    const end = table.offset + countEntries(file, table, entry.size, "relocations") * entry.size;
    for (let at = table.offset; at < end; at += entry.size) {
      const symbol = symbols[view.getUint32(at + SYMBOL, little)];
      if (symbol === undefined) throw new ElfError("a relocation refers to no symbol");
      const offset = readU64(view, at + OFFSET, little);
      if (offset >= data.length) throw new ElfError("a relocation lies outside its section");
      ordered &&= offset >= last;
      last = offset;
      relocations.push({
        offset,
        type: view.getUint32(at + TYPE, little),
        symbol,
        addend: readI64(view, at + ADDEND, little),
      });
    }
  }
  return ordered ? relocations : relocations.sort((a, b) => a.offset - b.offset);
}
