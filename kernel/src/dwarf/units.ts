import type { ElfObject, ElfSection } from "../elf/object.js";
import { BaseAttribute, Form, Tag, UNIT_COMPILE } from "./constants.js";
import { type Bases, Cursor, fixedSize, SOLE_UNIT, Strings, type Value } from "./cursor.js";

/** The debugging information of one run of the compiler. */
export interface Unit {
  readonly root: Entry | undefined;
  /** By their offset, which is what a reference to one holds. */
  readonly entries: ReadonlyMap<number, Entry>;
  readonly strings: Strings;
}

/** A debugging information entry. Most attributes of most entries are never asked for: they stay where they are. */
export interface Entry {
  readonly tag: number;
  readonly children: Entry[];
  /** Of its first attribute. */
  readonly offset: number;
  readonly abbreviation: Abbreviation;
  readonly source: Source;
}

interface Abbreviation {
  readonly tag: number;
  readonly hasChildren: boolean;
  readonly attributes: readonly Specification[];
  readonly byNumber: ReadonlyMap<number, Specification>;
  /** Bytes of all attributes together, where that is always the same. */
  readonly size: number | undefined;
}

interface Specification {
  readonly attribute: number;
  readonly form: number;
  readonly implicit: number;
  /** Bytes of the attributes before it, where that is always the same. */
  readonly before: number | undefined;
}

/** What the attributes of a unit are read from. */
interface Source {
  readonly cursor: Cursor;
  readonly unit: number;
  readonly addressSize: number;
}

/**
 * The value of an attribute, read on the spot.
 * @returns undefined when the entry does not have it, or it is of no interest to us
 * @throws RangeError when it is damaged
 */
export function attributeOf(entry: Entry, attribute: number): Value {
  const specification = entry.abbreviation.byNumber.get(attribute);
  if (specification === undefined) return undefined;
  const { cursor, unit, addressSize } = entry.source;
  cursor.offset = entry.offset + (specification.before ?? 0);
  if (specification.before === undefined)
    for (const other of entry.abbreviation.attributes) {
      if (other === specification) break;
      cursor.skip(other.form, addressSize);
    }
  return cursor.form(specification.form, addressSize, unit, specification.implicit);
}

/** The same, when it is a number; otherwise 0. */
export function numberOf(entry: Entry, attribute: number): number {
  const value = attributeOf(entry, attribute);
  return typeof value === "number" ? value : 0;
}

/** Whether an entry has the attribute, whatever its value. */
export function hasAttribute({ abbreviation }: Entry, attribute: number): boolean {
  return abbreviation.byNumber.has(attribute);
}

/**
 * Reads the entries of an object's units, one unit at a time.
 * @param tags of the entries that are read; others are passed over, their children kept for themselves
 * @returns undefined when the object has none; the units throw RangeError when they are damaged or of another version
 */
export function readUnits(object: ElfObject, tags: ReadonlySet<number>): Iterable<Unit> | undefined {
  const [info, abbrev] = [sectionOf(object, ".debug_info"), sectionOf(object, ".debug_abbrev")];
  return info && abbrev && unitsIn(object, info, abbrev, tags);
}

/**
 * The entry that describes the whole of the first unit.
 * @returns undefined when the object has none
 * @throws RangeError when it is damaged or of another version
 */
export function readFirstRoot(object: ElfObject): Entry | undefined {
  const [info, abbrev] = [sectionOf(object, ".debug_info"), sectionOf(object, ".debug_abbrev")];
  if (info === undefined || abbrev === undefined) return undefined;
  const strings = new Strings(object);
  const cursor = new Cursor(info, object.littleEndian, strings);
  return readUnit(cursor, info, abbrev, object.littleEndian, strings, new Set([Tag.COMPILE_UNIT]), true).root;
}

function* unitsIn(
  object: ElfObject,
  info: ElfSection,
  abbrev: ElfSection,
  tags: ReadonlySet<number>,
): Iterable<Unit> {
  const strings = new Strings(object);
  const cursor = new Cursor(info, object.littleEndian, strings);
  while (!cursor.atEnd) yield readUnit(cursor, info, abbrev, object.littleEndian, strings, tags, false);
}

/** @returns a section with contents, by its name */
export function sectionOf(object: ElfObject, name: string): ElfSection | undefined {
  return object.sections.find((other) => other.name === name && other.data.length > 0);
}

/** Reads one unit (DWARF 5, 7.5.1) and leaves the cursor behind it. */
function readUnit(
  cursor: Cursor,
  info: ElfSection,
  abbrev: ElfSection,
  little: boolean,
  strings: Strings,
  tags: ReadonlySet<number>,
  onlyRoot: boolean,
): Unit {
  const unit = cursor.offset;
  const length = cursor.u32();
  if (length >= 0xfffffff0) throw new RangeError("64-bit DWARF");
  const end = cursor.offset + length;
  const version = cursor.u16();
  if (version !== 4 && version !== 5) throw new RangeError(`DWARF version ${version}`);
  let addressSize = 8;
  if (version === 5) {
    if (cursor.u8() !== UNIT_COMPILE) throw new RangeError("unknown kind of DWARF unit");
    addressSize = cursor.u8();
  }
  const abbreviationsAt = new Cursor(abbrev, little, strings, cursor.sectionOffset());
  if (version === 4) addressSize = cursor.u8();
  const abbreviations = readAbbreviations(abbreviationsAt, addressSize);

  const own = strings.ofUnit();
  const source = { cursor: new Cursor(info, little, own), unit, addressSize };
  const entries = new Map<number, Entry>();
  const parents: (Entry | undefined)[] = [];
  let root: Entry | undefined;
  while (cursor.offset < end) {
    const at = cursor.offset;
    const code = cursor.uleb();
    if (code === 0) {
      parents.pop();
      continue;
    }
    const abbreviation = abbreviations.get(code);
    if (abbreviation === undefined) throw new RangeError("unknown abbreviation");
    const { tag, hasChildren, attributes, size } = abbreviation;
    const offset = cursor.offset;
    if (size === undefined) for (const { form } of attributes) cursor.skip(form, addressSize);
    else cursor.offset += size;
    let entry: Entry | undefined;
    if (tags.has(tag)) {
      entry = { tag, children: [], offset, abbreviation, source };
      entries.set(at, entry);
      parents.at(-1)?.children.push(entry);
      if (root === undefined) {
        root = entry;
        if (tag === Tag.COMPILE_UNIT) own.bases = basesOf(root);
        if (onlyRoot) break;
      }
    }
    if (hasChildren) parents.push(entry);
  }
  if (cursor.offset > info.data.length) throw new RangeError("a unit ends behind its section");
  cursor.offset = end;
  return { root, entries, strings: own };
}

function basesOf(root: Entry): Bases {
  const base = (attribute: number, otherwise: number) =>
    hasAttribute(root, attribute) ? numberOf(root, attribute) : otherwise;
  return {
    strings: base(BaseAttribute.STRING_OFFSETS, SOLE_UNIT.strings),
    addresses: base(BaseAttribute.ADDRESSES, SOLE_UNIT.addresses),
    ranges: base(BaseAttribute.RANGE_LISTS, SOLE_UNIT.ranges),
  };
}

/** DWARF 5, 7.5.3. */
function readAbbreviations(cursor: Cursor, addressSize: number): Map<number, Abbreviation> {
  const abbreviations = new Map<number, Abbreviation>();
  for (let code = cursor.uleb(); code !== 0; code = cursor.uleb()) {
    const tag = cursor.uleb();
    const hasChildren = cursor.u8() !== 0;
    const attributes: Specification[] = [];
    let size: number | undefined = 0;
    for (;;) {
      const [attribute, form] = [cursor.uleb(), cursor.uleb()];
      if (attribute === 0 && form === 0) break;
      const implicit = form === Form.IMPLICIT_CONST ? cursor.sleb() : 0;
      attributes.push({ attribute, form, implicit, before: size });
      const own: number | undefined = fixedSize(form, addressSize);
      size = size === undefined || own === undefined ? undefined : size + own;
    }
    const byNumber = new Map(attributes.map((specification) => [specification.attribute, specification]));
    abbreviations.set(code, { tag, hasChildren, attributes, byNumber, size });
  }
  return abbreviations;
}
