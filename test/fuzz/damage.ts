import {
  FileHeader,
  Ident,
  RelocationEntry,
  SectionHeader,
  SectionType,
  SymbolEntry,
} from "@kernel-hotpatch/kernel/elf/format";
import { generator } from "../eval/random.js";

/** A damaged object, and in words what was done to it. */
export interface Damaged {
  readonly what: string;
  readonly bytes: Uint8Array;
}

/** Damages an object in every way that can be listed; the number of ways depends on nothing but the object. */
export function* listedDamage(whole: Uint8Array): Generator<Damaged> {
  for (let length = 0; length < whole.length; length++)
    yield { what: `cut off at ${length}`, bytes: whole.slice(0, length) };
  for (let at = 0; at < Ident.SIZE; at++)
    for (const value of [0, 1, 2, 3, 0x7f, 0x80, 0xff])
      yield overwritten(whole, `e_ident[${at}] is ${value}`, (view) => view.setUint8(at, value));
  const fields = fieldsOf(whole);
  for (const field of fields)
    for (const value of boundaryValues(field, whole.length))
      yield overwritten(whole, `${field.name} is 0x${value.toString(16)}`, (view) =>
        write(view, field, value),
      );
  // What overlaps, links in circles, or takes another's place.
  for (const field of fields) {
    const others = fields.filter(({ kind, name }) => kind === field.kind && name !== field.name);
    for (const other of others.slice(0, 64)) {
      const view = viewOf(whole);
      const value = read(view, other);
      if (value !== read(view, field))
        yield overwritten(whole, `${field.name} is that of ${other.name}`, (copy) =>
          write(copy, field, value),
        );
    }
  }
}

/** @returns a function that damages the object in a few ways at once, at random; the same seed gives the same */
export function randomDamage(whole: Uint8Array): (seed: number) => Damaged {
  const fields = fieldsOf(whole);
  return (seed) => damageAtRandom(whole, fields, seed);
}

function damageAtRandom(whole: Uint8Array, fields: readonly Field[], seed: number): Damaged {
  const random = generator(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  let bytes = Uint8Array.from(whole);
  const done: string[] = [];
  for (let count = 1 + below(4); count > 0; count--) {
    if (bytes.length < 8) break;
    const at = below(bytes.length - 8);
    const view = viewOf(bytes);
    switch (below(6)) {
      case 0: {
        const bit = below(8);
        view.setUint8(at, view.getUint8(at) ^ (1 << bit));
        done.push(`bit ${bit} at ${at}`);
        break;
      }
      case 1: {
        const value = below(256);
        view.setUint8(at, value);
        done.push(`byte at ${at} is ${value}`);
        break;
      }
      case 2: {
        const width = ([2, 4, 8] as const)[below(3)] ?? 8;
        const place = { name: "", kind: "", offset: at, width, little: random() < 0.5 };
        const values = boundaryValues(place, bytes.length);
        const value = values[below(values.length)] ?? 0n;
        write(view, place, value);
        done.push(`${width} bytes at ${at} are 0x${value.toString(16)}`);
        break;
      }
      case 3: {
        const [from, size] = [below(bytes.length), below(64)];
        bytes.copyWithin(at, from, from + size);
        done.push(`${size} bytes copied from ${from} to ${at}`);
        break;
      }
      case 4: {
        const size = below(16);
        bytes = Uint8Array.from(Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + size)]));
        done.push(`${size} bytes at ${at} taken out`);
        break;
      }
      default: {
        const field = fields[below(fields.length)];
        if (field === undefined || field.offset + field.width > bytes.length) break;
        const values = boundaryValues(field, bytes.length);
        const value = values[below(values.length)] ?? 0n;
        write(view, field, value);
        done.push(`${field.name} is 0x${value.toString(16)}`);
      }
    }
  }
  return { what: done.join(", "), bytes };
}

interface Field {
  readonly name: string;
  /** Fields of one kind can have each other's values. */
  readonly kind: string;
  readonly offset: number;
  readonly width: 1 | 2 | 4 | 8;
  readonly little: boolean;
}

/** Every field of every header, symbol and relocation. */
function fieldsOf(whole: Uint8Array): Field[] {
  const little = whole[Ident.DATA] === Ident.LITTLE;
  const view = viewOf(whole);
  const header = FileHeader.read(view, Ident.SIZE, little);
  const fields = fieldsOfOne("e", "header", FileHeader, Ident.SIZE, little);
  const entry = little ? RelocationEntry.little : RelocationEntry.big;
  for (let index = 0; index < header.sectionCount; index++) {
    const at = header.sectionHeaders + index * SectionHeader.size;
    fields.push(...fieldsOfOne(`section ${index}`, "section", SectionHeader, at, little));
    const { type, offset, size } = SectionHeader.read(view, at, little);
    const table = type === SectionType.SYMTAB ? SymbolEntry : type === SectionType.RELA ? entry : undefined;
    const name = type === SectionType.SYMTAB ? "symbol" : "relocation";
    for (let place = offset; table && place < offset + size; place += table.size)
      fields.push(...fieldsOfOne(`${name} at ${place}`, name, table, place, little));
  }
  return fields;
}

function fieldsOfOne(
  what: string,
  kind: string,
  { at, size }: { readonly at: Readonly<Record<string, number>>; readonly size: number },
  offset: number,
  little: boolean,
): Field[] {
  const places = Object.entries(at);
  return places.map(([name, start], index) => {
    const width = (places[index + 1]?.[1] ?? size) - start;
    return {
      name: `${what}: ${name}`,
      kind: `${kind} ${name}`,
      offset: offset + start,
      width: width === 1 || width === 2 || width === 4 ? width : 8,
      little,
    };
  });
}

function boundaryValues({ width }: Field, length: number): bigint[] {
  const top = 1n << BigInt(width * 8);
  const values = [
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    16,
    17,
    24,
    64,
    0xff,
    0xff00,
    0xfff1,
    0xfff2,
    0xffff,
    length - 1,
    length,
  ];
  const wide = [1n << 31n, (1n << 32n) - 1n, 1n << 32n, 1n << 53n, 1n << 63n];
  const all = [...values.map(BigInt), ...wide, top / 2n - 1n, top / 2n, top - 1n, top - 8n];
  return [...new Set(all.filter((value) => value >= 0n && value < top))];
}

function overwritten(whole: Uint8Array, what: string, change: (view: DataView) => void): Damaged {
  const bytes = Uint8Array.from(whole);
  change(viewOf(bytes));
  return { what, bytes };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function read(view: DataView, { offset, width, little }: Field): bigint {
  switch (width) {
    case 1:
      return BigInt(view.getUint8(offset));
    case 2:
      return BigInt(view.getUint16(offset, little));
    case 4:
      return BigInt(view.getUint32(offset, little));
    default:
      return view.getBigUint64(offset, little);
  }
}

function write(view: DataView, { offset, width, little }: Field, value: bigint): void {
  if (width === 1) view.setUint8(offset, Number(value));
  else if (width === 2) view.setUint16(offset, Number(value), little);
  else if (width === 4) view.setUint32(offset, Number(value), little);
  else view.setBigUint64(offset, value, little);
}
