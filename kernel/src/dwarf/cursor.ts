import type { ElfObject, ElfRelocation, ElfSection } from "../elf/object.js";
import { Form } from "./constants.js";

/** A value of an attribute: a number (also an offset of a DIE), a string, or nothing of interest. */
export type Value = number | string | undefined;

/** The sections that strings live in, decoded as they are asked for. */
export class Strings {
  readonly #sections: ReadonlyMap<string, Buffer>;

  constructor(object: ElfObject) {
    const tables = object.sections.filter(({ name }) => name === ".debug_str" || name === ".debug_line_str");
    this.#sections = new Map(tables.map(({ name, data }) => [name, bufferOn(data)]));
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
    const at = this.offset;
    const plain = this.u32();
    // Everything is read in ascending order, so that the relocations are walked once.
    while ((this.#relocations[this.#next]?.offset ?? Number.POSITIVE_INFINITY) < at) this.#next++;
    const relocation = this.#relocations[this.#next];
    return relocation?.offset === at ? relocation.symbol.value + relocation.addend : plain;
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
        this.offset += addressSize;
        return undefined;
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
      case Form.REF_SIG8:
        this.offset += 8;
        return undefined;
      default:
        return this.#skipBlock(form);
    }
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
      case Form.EXPRLOC:
        return this.uleb();
      default:
        throw new RangeError(`unknown attribute form 0x${form.toString(16)}`);
    }
  }
}
