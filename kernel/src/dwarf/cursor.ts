import type { ElfObject, ElfRelocation, ElfSection, ElfSymbol } from "../elf/object.js";
import { Form, Operation } from "./constants.js";

/** A place in code or data, as its relocation gives it. */
export interface Address {
  readonly symbol: ElfSymbol;
  readonly addend: number;
}

/** A value of an attribute: a number (also an offset of a DIE), a string, an address, or nothing of interest. */
export type Value = number | string | Address | undefined;

/** Where a unit's part of the tables begins that it refers to by index (DWARF 5, 7.26 to 7.28). */
export interface Bases {
  readonly strings: number;
  readonly addresses: number;
  readonly ranges: number;
}

/** Behind the header of a table that holds a single unit's part, which is what an object has. */
export const SOLE_UNIT: Bases = { strings: 8, addresses: 8, ranges: 12 };

/** The sections that strings and addresses live in, decoded as they are asked for. */
export class Strings {
  bases: Bases = SOLE_UNIT;
  readonly #sections: ReadonlyMap<string, Buffer>;
  readonly #offsets: ReadonlyMap<number, ElfRelocation>;
  readonly #addresses: ReadonlyMap<number, ElfRelocation>;

  constructor(object: ElfObject) {
    const tables = object.sections.filter(({ name }) => name === ".debug_str" || name === ".debug_line_str");
    this.#sections = new Map(tables.map(({ name, data }) => [name, bufferOn(data)]));
    const relocated = (wanted: string) =>
      new Map(
        object.sections
          .find(({ name }) => name === wanted)
          ?.relocations.map((entry) => [entry.offset, entry]),
      );
    this.#offsets = relocated(".debug_str_offsets");
    this.#addresses = relocated(".debug_addr");
  }

  /** @throws RangeError when there is no such string */
  indexed(index: number): string {
    const entry = this.#offsets.get(this.bases.strings + index * 4);
    if (entry === undefined) throw new RangeError("a string has no offset");
    return this.at(".debug_str", entry.symbol.value + entry.addend);
  }

  address(index: number): Address | undefined {
    return this.#addresses.get(this.bases.addresses + index * 8);
  }

  /** @throws RangeError when there is no such string */
  at(sectionName: string, offset: number): string {
    const data = this.#sections.get(sectionName);
    if (data === undefined) throw new RangeError(`no section ${sectionName}`);
    return decode(data, offset);
  }
}

function bufferOn(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

function decode(data: Buffer, offset: number): string {
  const end = data.indexOf(0, offset);
  if (end < 0) throw new RangeError("a string has no end");
  // Names of kernel C are ASCII, and this is several times as fast as decoding UTF-8.
  return data.toString("latin1", offset, end);
}

/** Reads a debug section from front to back; offsets into other sections come from its relocations. */
export class Cursor {
  offset: number;
  readonly #view: DataView;
  readonly #data: Buffer;
  readonly #little: boolean;
  readonly #relocations: readonly ElfRelocation[];
  readonly #strings: Strings;
  #next = 0;

  constructor(section: ElfSection, little: boolean, strings: Strings, offset = 0) {
    this.#data = bufferOn(section.data);
    this.#view = new DataView(section.data.buffer, section.data.byteOffset, section.data.byteLength);
    this.#little = little;
    this.#relocations = section.relocations;
    this.#strings = strings;
    this.offset = offset;
    let end = offset === 0 ? 0 : section.relocations.length;
    while (this.#next < end) {
      const middle = (this.#next + end) >> 1;
      if ((section.relocations[middle]?.offset ?? offset) < offset) this.#next = middle + 1;
      else end = middle;
    }
  }

  get atEnd(): boolean {
    return this.offset >= this.#data.length;
  }

  u8(): number {
    return this.#view.getUint8(this.offset++);
  }

  u16(): number {
    this.offset += 2;
    return this.#view.getUint16(this.offset - 2, this.#little);
  }

  u32(): number {
    this.offset += 4;
    return this.#view.getUint32(this.offset - 4, this.#little);
  }

  /** Beyond 2^53 not exact, which is enough to tell two values apart in all likelihood. */
  u64(): number {
    this.offset += 8;
    return Number(this.#view.getBigUint64(this.offset - 8, this.#little));
  }

  u24(): number {
    const bytes = [this.u8(), this.u8(), this.u8()];
    return (this.#little ? bytes.reverse() : bytes).reduce((value, byte) => value * 256 + byte, 0);
  }

  /** LEB128, unsigned: DWARF 5, 7.6. */
  uleb(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  sleb(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return byte & 0x40 ? value - factor * 128 : value;
    }
  }

  /** A 32-bit offset into another section. */
  sectionOffset(): number {
    const relocation = this.#relocationHere();
    const plain = this.u32();
    return relocation ? relocation.symbol.value + relocation.addend : plain;
  }

  /** @returns undefined when nothing relocates it */
  address(size: number): Address | undefined {
    const relocation = this.#relocationHere();
    this.offset += size;
    return relocation;
  }

  /** Everything is read in ascending order, so that the relocations are walked once. */
  #relocationHere(): ElfRelocation | undefined {
    while ((this.#relocations[this.#next]?.offset ?? Number.POSITIVE_INFINITY) < this.offset) this.#next++;
    const relocation = this.#relocations[this.#next];
    return relocation?.offset === this.offset ? relocation : undefined;
  }

  string(): string {
    const string = decode(this.#data, this.offset);
    this.offset = this.#data.indexOf(0, this.offset) + 1;
    return string;
  }

  /**
   * Reads an attribute's value: DWARF 5, 7.5.6.
   * @param wanted strings are decoded only when they are
   * @throws RangeError for a form that kernel objects do not contain
   */
  form(form: number, addressSize: number, unit: number, implicit: number, wanted: boolean): Value {
    switch (form) {
      case Form.ADDR:
        return this.address(addressSize);
      case Form.ADDRX:
        return this.#strings.address(this.uleb());
      case Form.ADDRX1:
        return this.#strings.address(this.u8());
      case Form.ADDRX2:
        return this.#strings.address(this.u16());
      case Form.ADDRX3:
        return this.#strings.address(this.u24());
      case Form.ADDRX4:
        return this.#strings.address(this.u32());
      case Form.LOCLISTX:
      case Form.RNGLISTX:
        return this.uleb();
      case Form.DATA1:
      case Form.FLAG:
        return this.u8();
      case Form.DATA2:
        return this.u16();
      case Form.DATA4:
        return this.u32();
      case Form.DATA8:
        return this.u64();
      case Form.DATA16:
        this.offset += 16;
        return undefined;
      case Form.SDATA:
        return this.sleb();
      case Form.UDATA:
        return this.uleb();
      case Form.IMPLICIT_CONST:
        return implicit;
      case Form.FLAG_PRESENT:
        return 1;
      case Form.REF1:
        return unit + this.u8();
      case Form.REF2:
        return unit + this.u16();
      case Form.REF4:
        return unit + this.u32();
      case Form.REF8:
        return unit + this.u64();
      case Form.REF_UDATA:
        return unit + this.uleb();
      case Form.SEC_OFFSET:
      case Form.REF_ADDR:
        return this.sectionOffset();
      case Form.STRP:
        return this.#stringAt(".debug_str", wanted);
      case Form.LINE_STRP:
        return this.#stringAt(".debug_line_str", wanted);
      case Form.STRING:
        return this.string();
      case Form.STRX:
        return this.#indexedString(this.uleb(), wanted);
      case Form.STRX1:
        return this.#indexedString(this.u8(), wanted);
      case Form.STRX2:
        return this.#indexedString(this.u16(), wanted);
      case Form.STRX3:
        return this.#indexedString(this.u24(), wanted);
      case Form.STRX4:
        return this.#indexedString(this.u32(), wanted);
      case Form.EXPRLOC:
        return this.#location(addressSize);
      case Form.REF_SIG8:
        this.offset += 8;
        return undefined;
      default:
        return this.#skipBlock(form);
    }
  }

  #indexedString(index: number, wanted: boolean): Value {
    return wanted ? this.#strings.indexed(index) : undefined;
  }

  /** A location (DWARF 5, 2.6.1.1.2) that is one address; those of registers and stack slots are passed over. */
  #location(addressSize: number): Address | undefined {
    const size = this.uleb();
    const end = this.offset + size;
    const operation = size > 0 ? this.u8() : 0;
    let address: Address | undefined;
    if (operation === Operation.ADDR && size === 1 + addressSize) address = this.address(addressSize);
    else if (operation === Operation.ADDRX) {
      const index = this.uleb();
      if (this.offset === end) address = this.#strings.address(index);
    }
    this.offset = end;
    return address;
  }

  #stringAt(section: string, wanted: boolean): Value {
    if (wanted) return this.#strings.at(section, this.sectionOffset());
    this.offset += 4;
    return undefined;
  }

  #skipBlock(form: number): undefined {
    const size = this.#blockSize(form);
    this.offset += size;
    return undefined;
  }

  #blockSize(form: number): number {
    switch (form) {
      case Form.BLOCK1:
        return this.u8();
      case Form.BLOCK2:
        return this.u16();
      case Form.BLOCK4:
        return this.u32();
      case Form.BLOCK:
        return this.uleb();
      default:
        throw new RangeError(`unknown attribute form 0x${form.toString(16)}`);
    }
  }
}
