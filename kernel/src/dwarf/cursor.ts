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

/** The sections that strings and addresses live in. */
interface Tables {
  readonly strings: ReadonlyMap<string, string>;
  readonly offsets: ReadonlyMap<number, ElfRelocation>;
  readonly addresses: ReadonlyMap<number, ElfRelocation>;
}

/** The strings and addresses that a unit refers to. */
export class Strings {
  bases: Bases = SOLE_UNIT;
  readonly #tables: Tables;

  constructor(of: ElfObject | Tables) {
    this.#tables = "sections" in of ? tablesOf(of) : of;
  }

  /** Those of another unit of the same object. */
  ofUnit(): Strings {
    return new Strings(this.#tables);
  }

  /** @throws RangeError when there is no such string */
  indexed(index: number): string {
    const entry = this.#tables.offsets.get(this.bases.strings + index * 4);
    if (entry === undefined) throw new RangeError("a string has no offset");
    return this.at(".debug_str", entry.symbol.value + entry.addend);
  }

  address(index: number): Address | undefined {
    return this.#tables.addresses.get(this.bases.addresses + index * 8);
  }

  /** @throws RangeError when there is no such string */
  at(sectionName: string, offset: number): string {
    const table = this.#tables.strings.get(sectionName);
    if (table === undefined) throw new RangeError(`no section ${sectionName}`);
    return stringIn(table, offset);
  }
}

function tablesOf({ sections }: ElfObject): Tables {
  const tables = sections.filter(({ name }) => name === ".debug_str" || name === ".debug_line_str");
  const relocated = (wanted: string) =>
    new Map(sections.find(({ name }) => name === wanted)?.relocations.map((entry) => [entry.offset, entry]));
  return {
    strings: new Map(tables.map(({ name, data }) => [name, textOf(data)])),
    offsets: relocated(".debug_str_offsets"),
    addresses: relocated(".debug_addr"),
  };
}

/** Decoded once: strings are then parts of it. Names of kernel C are ASCII. */
function textOf({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("latin1");
}

function stringIn(text: string, offset: number): string {
  const end = text.indexOf("\0", offset);
  if (end < 0) throw new RangeError("a string has no end");
  return text.slice(offset, end);
}

/** Reads a debug section from front to back; offsets into other sections come from its relocations. */
export class Cursor {
  offset: number;
  readonly #view: DataView;
  readonly #data: Uint8Array;
  #text: string | undefined;
  readonly #little: boolean;
  readonly #relocations: readonly ElfRelocation[];
  readonly #strings: Strings;
  #next = 0;

  constructor(section: ElfSection, little: boolean, strings: Strings, offset = 0) {
    this.#data = section.data;
    this.#view = new DataView(section.data.buffer, section.data.byteOffset, section.data.byteLength);
    this.#little = little;
    this.#relocations = section.relocations;
    this.#strings = strings;
    this.offset = offset;
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

  /** What is read is mostly near to what was read before it. */
  #relocationHere(): ElfRelocation | undefined {
    const offsetAt = (index: number) => this.#relocations[index]?.offset ?? Number.POSITIVE_INFINITY;
    let low = this.#next;
    const near = low + 8;
    while (low < near && offsetAt(low) < this.offset) low++;
    if (low === near || (low > 0 && offsetAt(low - 1) >= this.offset)) {
      let high = this.#relocations.length;
      for (low = 0; low < high; ) {
        const middle = (low + high) >> 1;
        if (offsetAt(middle) < this.offset) low = middle + 1;
        else high = middle;
      }
    }
    this.#next = low;
    const relocation = this.#relocations[low];
    return relocation?.offset === this.offset ? relocation : undefined;
  }

  string(): string {
    this.#text ??= textOf(this.#data);
    const string = stringIn(this.#text, this.offset);
    this.offset += string.length + 1;
    return string;
  }

  /**
   * Passes over an attribute's value.
   * @throws RangeError for a form that kernel objects do not contain
   */
  skip(form: number, addressSize: number): void {
    const size = fixedSize(form, addressSize);
    if (size !== undefined) this.offset += size;
    else if (LEB128.has(form)) this.uleb();
    else if (form === Form.STRING) this.#skipString();
    else this.#skipBlock(form);
  }

  /**
   * Reads an attribute's value: DWARF 5, 7.5.6.
   * @param unit where the unit begins that references count from
   * @throws RangeError for a form that kernel objects do not contain
   */
  form(form: number, addressSize: number, unit: number, implicit: number): Value {
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
        return this.#strings.at(".debug_str", this.sectionOffset());
      case Form.LINE_STRP:
        return this.#strings.at(".debug_line_str", this.sectionOffset());
      case Form.STRING:
        return this.string();
      case Form.STRX:
        return this.#strings.indexed(this.uleb());
      case Form.STRX1:
        return this.#strings.indexed(this.u8());
      case Form.STRX2:
        return this.#strings.indexed(this.u16());
      case Form.STRX3:
        return this.#strings.indexed(this.u24());
      case Form.STRX4:
        return this.#strings.indexed(this.u32());
      case Form.EXPRLOC:
        return this.#location(addressSize);
      case Form.REF_SIG8:
        this.offset += 8;
        return undefined;
      default:
        return this.#skipBlock(form);
    }
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

  #skipString(): void {
    const end = this.#data.indexOf(0, this.offset);
    if (end < 0) throw new RangeError("a string has no end");
    this.offset = end + 1;
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
      case Form.EXPRLOC:
        return this.uleb();
      default:
        throw new RangeError(`unknown attribute form 0x${form.toString(16)}`);
    }
  }
}

/** Bytes of a value, where its form alone says it (DWARF 5, 7.5.6). */
export function fixedSize(form: number, addressSize: number): number | undefined {
  return form === Form.ADDR ? addressSize : FIXED_SIZES.get(form);
}

const FIXED_SIZES: ReadonlyMap<number, number> = new Map<number, number>([
  ...[Form.FLAG_PRESENT, Form.IMPLICIT_CONST].map((form) => [form, 0] as const),
  ...[Form.DATA1, Form.FLAG, Form.REF1, Form.STRX1, Form.ADDRX1].map((form) => [form, 1] as const),
  ...[Form.DATA2, Form.REF2, Form.STRX2, Form.ADDRX2].map((form) => [form, 2] as const),
  ...[Form.STRX3, Form.ADDRX3].map((form) => [form, 3] as const),
  ...[Form.DATA4, Form.REF4, Form.STRP, Form.LINE_STRP, Form.SEC_OFFSET, Form.REF_ADDR].map(
    (form) => [form, 4] as const,
  ),
  ...[Form.STRX4, Form.ADDRX4].map((form) => [form, 4] as const),
  ...[Form.DATA8, Form.REF8, Form.REF_SIG8].map((form) => [form, 8] as const),
  [Form.DATA16, 16],
]);

/** Forms of numbers that say themselves where they end. */
const LEB128: ReadonlySet<number> = new Set([
  Form.UDATA,
  Form.SDATA,
  Form.REF_UDATA,
  Form.STRX,
  Form.ADDRX,
  Form.LOCLISTX,
  Form.RNGLISTX,
]);
