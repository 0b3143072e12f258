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
  SymbolBinding,
  SymbolEntry,
  SymbolType,
} from "./format.js";
import type { ElfObject, ElfRelocation, ElfSection, ElfSymbol } from "./object.js";

type Header = ReturnType<typeof SectionHeader.read>;

/**
 * Writes a relocatable object; the same graph always gives the same bytes.
 * @throws RangeError when a relocation or symbol refers to something that the object does not hold, or when there
 *   are 0xff00 sections or more
 */
export function writeElf(object: ElfObject): Uint8Array {
  const { littleEndian: little } = object;
  const names = new StringTable();
  const symbolNames = new StringTable();
  const headers: Header[] = [emptyHeader()];
  const bodies: Uint8Array[] = [new Uint8Array(0)];
  const add = (name: string, header: Partial<Header>, body: Uint8Array): number => {
    headers.push({ ...emptyHeader(), ...header, name: names.add(name), size: body.length });
    bodies.push(body);
    return headers.length - 1;
  };

  const sectionIndex = new Map<ElfSection, number>();
  for (const section of object.sections) {
    const { name, type, flags, align, entrySize, data } = section;
    sectionIndex.set(section, add(name, { type, flags, align, entrySize }, data));
  }
  for (const [section, index] of sectionIndex) {
    const header = headers[index];
    if (section.linkOrder === undefined || header === undefined) continue;
    header.link = indexOf(section.linkOrder, sectionIndex, `section ${section.name} describes`);
  }

  // gABI "Symbol table": locals come first, and the table's sh_info is the index of the first that is not.
  const locals = object.symbols.filter((symbol) => symbol.binding === SymbolBinding.LOCAL);
  const symbols = [...locals, ...object.symbols.filter((symbol) => symbol.binding !== SymbolBinding.LOCAL)];
  const symbolIndex = new Map<ElfSymbol, number>(symbols.map((symbol, index) => [symbol, index + 1]));

  const symbolTable = new Uint8Array((symbols.length + 1) * SymbolEntry.size);
  const symbolView = new DataView(symbolTable.buffer);
  for (const [index, symbol] of symbols.entries())
    SymbolEntry.write(symbolView, (index + 1) * SymbolEntry.size, little, {
      name: symbol.type === SymbolType.SECTION ? 0 : symbolNames.add(symbol.name),
      info: (symbol.binding << 4) | symbol.type,
      other: symbol.other,
      section: placeOf(symbol, sectionIndex),
      value: symbol.value,
      size: symbol.size,
    });

  const symbolTableIndex =
    headers.length + object.sections.reduce((sum, section) => sum + tablesOf(section).length, 0);
  for (const section of object.sections)
    for (const table of tablesOf(section))
      add(
        table.name,
        {
          type: SectionType.RELA,
          flags: table.flags,
          link: symbolTableIndex,
          info: sectionIndex.get(section) ?? 0,
          align: 8,
          entrySize: RelocationEntry.little.size,
        },
        relocationTable(table.relocations, symbolIndex, little),
      );
  add(
    ".symtab",
    {
      type: SectionType.SYMTAB,
      link: headers.length + 1,
      info: locals.length + 1,
      align: 8,
      entrySize: SymbolEntry.size,
    },
    symbolTable,
  );
  add(".strtab", { type: SectionType.STRTAB, align: 1 }, symbolNames.bytes());
  names.add(".shstrtab");
  add(".shstrtab", { type: SectionType.STRTAB, align: 1 }, names.bytes());
  if (headers.length >= SectionIndex.RESERVED) throw new RangeError("too many sections");
  return assemble(object, headers, bodies);
}

function emptyHeader(): Header {
  return {
    name: 0,
    type: 0,
    flags: 0,
    address: 0,
    offset: 0,
    size: 0,
    link: 0,
    info: 0,
    align: 0,
    entrySize: 0,
  };
}

function tablesOf(section: ElfSection): { name: string; flags: number; relocations: ElfRelocation[] }[] {
  const own = {
    name: `.rela${section.name}`,
    flags: SectionFlag.INFO_LINK,
    relocations: section.relocations,
  };
  return section.relocations.length > 0 ? [own, ...section.otherRelocations] : section.otherRelocations;
}

function placeOf(symbol: ElfSymbol, sectionIndex: ReadonlyMap<ElfSection, number>): number {
  switch (symbol.section) {
    case "undefined":
      return SectionIndex.UNDEFINED;
    case "absolute":
      return SectionIndex.ABSOLUTE;
    case "common":
      return SectionIndex.COMMON;
    case "livepatch":
      return SectionIndex.LIVEPATCH;
    default:
      return indexOf(symbol.section, sectionIndex, `symbol ${symbol.name} is in`);
  }
}

function indexOf(section: ElfSection, indices: ReadonlyMap<ElfSection, number>, who: string): number {
  const index = indices.get(section);
  if (index === undefined) throw new RangeError(`${who} a section that is not written`);
  return index;
}

function relocationTable(
  relocations: readonly ElfRelocation[],
  symbolIndex: ReadonlyMap<ElfSymbol, number>,
  little: boolean,
): Uint8Array {
  const entry = little ? RelocationEntry.little : RelocationEntry.big;
  const table = new Uint8Array(relocations.length * entry.size);
  const view = new DataView(table.buffer);
  for (const [number, { offset, type, symbol, addend }] of relocations.entries()) {
    // Entry 0 of every symbol table is empty and stands for no symbol (gABI, "Symbol Table").
    const index = symbolIndex.get(symbol) ?? (isNone(symbol) ? 0 : undefined);
    if (index === undefined) throw new RangeError(`symbol ${symbol.name} is not written`);
    entry.write(view, number * entry.size, little, { offset, type, symbol: index, addend });
  }
  return table;
}

function isNone({ name, section, type }: ElfSymbol): boolean {
  return name === "" && section === "undefined" && type === SymbolType.NONE;
}

/** Lays header, bodies and section headers out one behind the other. */
function assemble(object: ElfObject, headers: Header[], bodies: readonly Uint8Array[]): Uint8Array {
  let end = Ident.SIZE + FileHeader.size;
  for (const [index, header] of headers.entries()) {
    if (index === 0) continue;
    end = alignUp(end, Math.max(header.align, 1));
    header.offset = end;
    if (header.type !== SectionType.NOBITS) end += bodies[index]?.length ?? 0;
  }
  const sectionHeaders = alignUp(end, 8);
  const bytes = new Uint8Array(sectionHeaders + headers.length * SectionHeader.size);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  bytes[Ident.CLASS] = Ident.CLASS_64;
  bytes[Ident.DATA] = object.littleEndian ? Ident.LITTLE : Ident.BIG;
  bytes[Ident.VERSION] = 1;
  bytes[Ident.OSABI] = object.osAbi;
  FileHeader.write(view, Ident.SIZE, object.littleEndian, {
    type: FileType.RELOCATABLE,
    machine: object.machine,
    version: 1,
    entry: 0,
    programHeaders: 0,
    sectionHeaders,
    flags: object.flags,
    headerSize: Ident.SIZE + FileHeader.size,
    programHeaderSize: 0,
    programHeaderCount: 0,
    sectionHeaderSize: SectionHeader.size,
    sectionCount: headers.length,
    sectionNames: headers.length - 1,
  });
  for (const [index, header] of headers.entries()) {
    const body = bodies[index];
    if (body !== undefined && header.type !== SectionType.NOBITS) bytes.set(body, header.offset);
    SectionHeader.write(view, sectionHeaders + index * SectionHeader.size, object.littleEndian, header);
  }
  return bytes;
}

/** Rounds `value` up to a multiple of `align`. */
export function alignUp(value: number, align: number): number {
  return Math.ceil(value / align) * align;
}

/** A string table that holds each name once. */
class StringTable {
  readonly #offsets = new Map<string, number>([["", 0]]);
  readonly #pieces: Uint8Array[] = [new Uint8Array(1)];
  #size = 1;

  add(name: string): number {
    const known = this.#offsets.get(name);
    if (known !== undefined) return known;
    const offset = this.#size;
    // One byte for each character, as the reader has it.
    const piece = Buffer.from(`${name}\0`, "latin1");
    this.#pieces.push(piece);
    this.#size += piece.length;
    this.#offsets.set(name, offset);
    return offset;
  }

  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.#size);
    let at = 0;
    for (const piece of this.#pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    return bytes;
  }
}
