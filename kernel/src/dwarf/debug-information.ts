import type { ElfObject, ElfSection } from "../elf/object.js";
import { Attribute, BaseAttribute, Form, LineContent, Tag, UNIT_COMPILE } from "./constants.js";
import { Cursor, SOLE_UNIT, Strings, type Value } from "./cursor.js";

/** A place in the source as the compiler was given it: an absolute path, or one relative to its folder. */
export interface Declaration {
  readonly file: string;
  /** Counts from 1. */
  readonly line: number;
}

/** How the compiler laid out a struct or union, or numbered an enum. */
export interface TypeLayout extends Declaration {
  readonly keyword: "struct" | "union" | "enum";
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** In order; members of anonymous structs and unions stand in their place. */
  readonly members: readonly Member[];
}

export interface Member {
  readonly name: string;
  /** Bits from the start of the outermost type; for an enumerator its value. */
  readonly offset: number;
  /** Bits of a bit-field; 0 for others. */
  readonly bits: number;
  /** The type in words, sizes of arrays included. */
  readonly type: string;
}

export interface DebugInformation {
  /** Types with a name and a body; of one name there may be several, in functions. */
  readonly types: readonly TypeLayout[];
  /** Functions and variables at file level and static variables in functions. */
  readonly declarations: ReadonlyMap<string, Declaration>;
}

/** A debugging information entry, with what was asked for. */
export interface Entry {
  readonly tag: number;
  readonly attributes: ReadonlyMap<number, Value>;
  readonly children: Entry[];
}

interface Abbreviation {
  readonly tag: number;
  readonly hasChildren: boolean;
  /** Attribute, form, implicit value: three numbers each. */
  readonly attributes: readonly number[];
}

/** Which entries are read, and what of them; entries of other kinds are passed over, their children kept for themselves. */
export interface Wanted {
  readonly tags: ReadonlySet<number>;
  readonly attributes: ReadonlySet<number>;
  /** Nothing but each unit's first entry. */
  readonly onlyRoot?: true;
}

/** What {@link readDebugInformation} goes by. */
export const LAYOUTS: Wanted = {
  tags: new Set(Object.values(Tag)),
  attributes: new Set(Object.values(Attribute)),
};

/**
 * Reads the DWARF (version 4 or 5) of an object that one run of the compiler made.
 * @param units what was read of it already, for other purposes too
 * @returns undefined when the object has none
 * @throws RangeError when it is damaged or of another version
 */
export function readDebugInformation(
  object: ElfObject,
  units: Iterable<Unit> | undefined = readUnits(object, LAYOUTS),
): DebugInformation | undefined {
  if (units === undefined) return undefined;
  const types: TypeLayout[] = [];
  const declarations = new Map<string, Declaration>();
  for (const unit of units) {
    const { entries } = unit;
    const files = filesOf(object, unit);
    for (const entry of entries.values()) {
      const place = {
        file: files[number(entry, Attribute.DECLARATION_FILE)] ?? "",
        line: number(entry, Attribute.DECLARATION_LINE),
      };
      const name = entry.attributes.get(Attribute.NAME);
      const aliased = entry.tag === Tag.TYPEDEF ? entries.get(number(entry, Attribute.TYPE)) : undefined;
      // `typedef struct { … } name;` names a type that has no name itself.
      const type = aliased && !aliased.attributes.has(Attribute.NAME) ? aliased : entry;
      if (typeof name !== "string" || entry.attributes.has(Attribute.DECLARATION)) continue;
      const keyword = KEYWORDS[type.tag];
      if (keyword !== undefined)
        types.push({
          keyword,
          name,
          size: number(type, Attribute.BYTE_SIZE),
          members: membersOf(type, entries),
          ...place,
        });
      else if ((entry.tag === Tag.SUBPROGRAM || entry.tag === Tag.VARIABLE) && !declarations.has(name))
        declarations.set(name, place);
    }
  }
  return { types, declarations };
}

/**
 * The compiler and, from gcc, the options that it was run with.
 * @returns undefined when the object has no debugging information
 * @throws RangeError when it is damaged or of another version
 */
export function readProducer(object: ElfObject): string | undefined {
  const [unit] = readUnits(object, PRODUCER) ?? [];
  const producer = unit?.root?.attributes.get(Attribute.PRODUCER);
  return typeof producer === "string" ? producer : undefined;
}

const PRODUCER: Wanted = {
  tags: new Set([Tag.COMPILE_UNIT]),
  attributes: new Set([Attribute.PRODUCER]),
  onlyRoot: true,
};

/** The debugging information of one run of the compiler. */
export interface Unit {
  readonly root: Entry | undefined;
  /** By their offset, which is what a reference to one holds. */
  readonly entries: ReadonlyMap<number, Entry>;
  readonly strings: Strings;
}

/**
 * Reads the entries of an object's units, one unit at a time.
 * @returns undefined when the object has none; the units throw RangeError when they are damaged or of another version
 */
export function readUnits(object: ElfObject, wanted: Wanted): Iterable<Unit> | undefined {
  const [info, abbrev] = [sectionOf(object, ".debug_info"), sectionOf(object, ".debug_abbrev")];
  return info && abbrev && unitsIn(object, info, abbrev, wanted);
}

function* unitsIn(object: ElfObject, info: ElfSection, abbrev: ElfSection, wanted: Wanted): Iterable<Unit> {
  const strings = new Strings(object);
  const cursor = new Cursor(info, object.littleEndian, strings);
  while (!cursor.atEnd) yield { ...readUnit(cursor, abbrev, object.littleEndian, strings, wanted), strings };
}

function sectionOf(object: ElfObject, name: string): ElfSection | undefined {
  return object.sections.find((other) => other.name === name && other.data.length > 0);
}

const KEYWORDS: Readonly<Record<number, TypeLayout["keyword"]>> = {
  [Tag.STRUCTURE]: "struct",
  [Tag.UNION]: "union",
  [Tag.ENUMERATION]: "enum",
};

function number(entry: Entry, attribute: number): number {
  const value = entry.attributes.get(attribute);
  return typeof value === "number" ? value : 0;
}

/** Reads one unit (DWARF 5, 7.5.1) and leaves the cursor behind it. */
function readUnit(
  cursor: Cursor,
  abbrev: ElfSection,
  little: boolean,
  strings: Strings,
  wanted: Wanted,
): { root: Entry | undefined; entries: Map<number, Entry> } {
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
  const abbreviations = readAbbreviations(new Cursor(abbrev, little, strings, cursor.sectionOffset()));
  if (version === 4) addressSize = cursor.u8();

  const entries = new Map<number, Entry>();
  const parents: (Entry | undefined)[] = [];
  const bases = new Map<number, Value>();
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
    const kept = wanted.tags.has(abbreviation.tag);
    const isRoot = root === undefined && abbreviation.tag === Tag.COMPILE_UNIT;
    const attributes = new Map<number, Value>();
    const plan = abbreviation.attributes;
    for (let index = 0; index < plan.length; index += 3) {
      const [attribute, form, implicit] = [plan[index] ?? 0, plan[index + 1] ?? 0, plan[index + 2] ?? 0];
      const isWanted = kept && wanted.attributes.has(attribute);
      const value = cursor.form(form, addressSize, unit, implicit, isWanted);
      if (isWanted) attributes.set(attribute, value);
      if (isRoot) bases.set(attribute, value);
    }
    if (isRoot)
      strings.bases = {
        strings: base(bases, BaseAttribute.STRING_OFFSETS) ?? SOLE_UNIT.strings,
        addresses: base(bases, BaseAttribute.ADDRESSES) ?? SOLE_UNIT.addresses,
        ranges: base(bases, BaseAttribute.RANGE_LISTS) ?? SOLE_UNIT.ranges,
      };
    let entry: Entry | undefined;
    if (kept) {
      entry = { tag: abbreviation.tag, attributes, children: [] };
      entries.set(at, entry);
      parents.at(-1)?.children.push(entry);
      root ??= entry;
      if (wanted.onlyRoot) break;
    }
    if (abbreviation.hasChildren) parents.push(entry);
  }
  cursor.offset = end;
  return { root, entries };
}

function base(bases: ReadonlyMap<number, Value>, attribute: number): number | undefined {
  const value = bases.get(attribute);
  return typeof value === "number" ? value : undefined;
}

/** DWARF 5, 7.5.3. */
function readAbbreviations(cursor: Cursor): Map<number, Abbreviation> {
  const abbreviations = new Map<number, Abbreviation>();
  for (let code = cursor.uleb(); code !== 0; code = cursor.uleb()) {
    const tag = cursor.uleb();
    const hasChildren = cursor.u8() !== 0;
    const attributes: number[] = [];
    for (;;) {
      const [attribute, form] = [cursor.uleb(), cursor.uleb()];
      if (attribute === 0 && form === 0) break;
      attributes.push(attribute, form, form === Form.IMPLICIT_CONST ? cursor.sleb() : 0);
    }
    abbreviations.set(code, { tag, hasChildren, attributes });
  }
  return abbreviations;
}

/** The files that entries of a unit refer to by number. */
export function filesOf(object: ElfObject, { root, strings }: Unit): readonly string[] {
  const line = sectionOf(object, ".debug_line");
  const list = root?.attributes.get(Attribute.STATEMENT_LIST);
  return line && typeof list === "number" ? readFiles(line, list, object.littleEndian, strings) : [];
}

/** The file table of a line number program (DWARF 5 and 4, 6.2.4), by the numbers that entries use. */
function readFiles(section: ElfSection, offset: number, little: boolean, strings: Strings): string[] {
  const cursor = new Cursor(section, little, strings, offset);
  cursor.u32();
  const version = cursor.u16();
  // Address and segment selector sizes, header length, instruction parameters.
  cursor.offset += version >= 5 ? 2 + 4 + 5 : 4 + 5;
  const opcodeBase = cursor.u8();
  cursor.offset += opcodeBase - 1;
  if (version >= 5) {
    const directories = readPaths(cursor).map(({ path }) => path);
    return readPaths(cursor).map(({ path, directory }) => join(directories[directory] ?? "", path));
  }
  const directories = [""];
  for (let path = cursor.string(); path !== ""; path = cursor.string()) directories.push(path);
  const files = [""];
  for (let path = cursor.string(); path !== ""; path = cursor.string()) {
    files.push(join(directories[cursor.uleb()] ?? "", path));
    cursor.uleb();
    cursor.uleb();
  }
  return files;
}

function readPaths(cursor: Cursor): { path: string; directory: number }[] {
  const formats = Array.from({ length: cursor.u8() }, () => [cursor.uleb(), cursor.uleb()] as const);
  return Array.from({ length: cursor.uleb() }, () => {
    let path = "";
    let directory = 0;
    for (const [content, form] of formats) {
      const value = cursor.form(form, 8, 0, 0, content === LineContent.PATH);
      if (content === LineContent.PATH && typeof value === "string") path = value;
      if (content === LineContent.DIRECTORY && typeof value === "number") directory = value;
    }
    return { path, directory };
  });
}

function join(directory: string, path: string): string {
  return directory === "" || path.startsWith("/") ? path : `${directory}/${path}`;
}

function membersOf(entry: Entry, entries: ReadonlyMap<number, Entry>, base = 0): Member[] {
  return entry.children.flatMap((child): Member[] => {
    const name = child.attributes.get(Attribute.NAME);
    if (child.tag === Tag.ENUMERATOR)
      return [{ name: String(name), offset: number(child, Attribute.CONST_VALUE), bits: 0, type: "" }];
    if (child.tag !== Tag.MEMBER) return [];
    const offset =
      base + number(child, Attribute.MEMBER_LOCATION) * 8 + number(child, Attribute.DATA_BIT_OFFSET);
    const type = entries.get(number(child, Attribute.TYPE));
    if (name === undefined && type && type.children.length > 0) return membersOf(type, entries, offset);
    const words = typeInWords(type, entries, 0);
    return [{ name: String(name ?? ""), offset, bits: number(child, Attribute.BIT_SIZE), type: words }];
  });
}

/** Enough to tell types apart, without following pointers any further than a name. */
function typeInWords(type: Entry | undefined, entries: ReadonlyMap<number, Entry>, depth: number): string {
  if (type === undefined || depth > 8) return "void";
  const name = type.attributes.get(Attribute.NAME);
  const target = () => typeInWords(entries.get(number(type, Attribute.TYPE)), entries, depth + 1);
  switch (type.tag) {
    case Tag.CONST:
    case Tag.VOLATILE:
    case Tag.RESTRICT:
    case Tag.ATOMIC:
      return target();
    case Tag.TYPEDEF:
    case Tag.BASE_TYPE:
      return String(name);
    case Tag.POINTER:
      return `${target()} *`;
    case Tag.SUBROUTINE_TYPE:
      return "function";
    case Tag.ARRAY:
      return (
        target() +
        type.children
          .map((bound) => `[${number(bound, Attribute.COUNT) || number(bound, Attribute.UPPER_BOUND) + 1}]`)
          .join("")
      );
    default: {
      const keyword = KEYWORDS[type.tag] ?? "type";
      return typeof name === "string"
        ? `${keyword} ${name}`
        : `${keyword} of ${number(type, Attribute.BYTE_SIZE)} bytes`;
    }
  }
}
