import type { ElfObject, ElfSection } from "../elf/object.js";
import { Attribute, LineContent, Tag } from "./constants.js";
import { Cursor, type Strings } from "./cursor.js";
import {
  attributeOf,
  type Entry,
  hasAttribute,
  numberOf,
  readFirstRoot,
  readUnits,
  sectionOf,
  type Unit,
} from "./units.js";

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

/** Tags of what {@link readDebugInformation} goes by. */
export const LAYOUT_TAGS: ReadonlySet<number> = new Set(Object.values(Tag));

/**
 * Reads the DWARF (version 4 or 5) of an object that one run of the compiler made.
 * @param units what was read of it already, for other purposes too
 * @returns undefined when the object has none
 * @throws RangeError when it is damaged or of another version
 */
export function readDebugInformation(
  object: ElfObject,
  units: Iterable<Unit> | undefined = readUnits(object, LAYOUT_TAGS),
): DebugInformation | undefined {
  if (units === undefined) return undefined;
  const types: TypeLayout[] = [];
  const declarations = new Map<string, Declaration>();
  for (const unit of units) {
    const { entries } = unit;
    const files = filesOf(object, unit);
    for (const entry of entries.values()) {
      const place = {
        file: files[numberOf(entry, Attribute.DECLARATION_FILE)] ?? "",
        line: numberOf(entry, Attribute.DECLARATION_LINE),
      };
      const name = attributeOf(entry, Attribute.NAME);
      const aliased = entry.tag === Tag.TYPEDEF ? entries.get(numberOf(entry, Attribute.TYPE)) : undefined;
      // `typedef struct { … } name;` names a type that has no name itself.
      const type = aliased && !hasAttribute(aliased, Attribute.NAME) ? aliased : entry;
      if (typeof name !== "string" || hasAttribute(entry, Attribute.DECLARATION)) continue;
      const keyword = KEYWORDS[type.tag];
      if (keyword !== undefined)
        types.push({
          keyword,
          name,
          size: numberOf(type, Attribute.BYTE_SIZE),
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
  const root = readFirstRoot(object);
  const producer = root && attributeOf(root, Attribute.PRODUCER);
  return typeof producer === "string" ? producer : undefined;
}

const KEYWORDS: Readonly<Record<number, TypeLayout["keyword"]>> = {
  [Tag.STRUCTURE]: "struct",
  [Tag.UNION]: "union",
  [Tag.ENUMERATION]: "enum",
};

/** The files that entries of a unit refer to by number. */
export function filesOf(object: ElfObject, { root, strings }: Unit): readonly string[] {
  const line = sectionOf(object, ".debug_line");
  const list = root && attributeOf(root, Attribute.STATEMENT_LIST);
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
      const value = cursor.form(form, 8, 0, 0);
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
    const name = attributeOf(child, Attribute.NAME);
    if (child.tag === Tag.ENUMERATOR)
      return [{ name: String(name), offset: numberOf(child, Attribute.CONST_VALUE), bits: 0, type: "" }];
    if (child.tag !== Tag.MEMBER) return [];
    const offset =
      base + numberOf(child, Attribute.MEMBER_LOCATION) * 8 + numberOf(child, Attribute.DATA_BIT_OFFSET);
    const type = entries.get(numberOf(child, Attribute.TYPE));
    if (name === undefined && type && type.children.length > 0) return membersOf(type, entries, offset);
    const words = typeInWords(type, entries, 0);
    return [{ name: String(name ?? ""), offset, bits: numberOf(child, Attribute.BIT_SIZE), type: words }];
  });
}

/** Enough to tell types apart, without following pointers any further than a name. */
function typeInWords(type: Entry | undefined, entries: ReadonlyMap<number, Entry>, depth: number): string {
  if (type === undefined || depth > 8) return "void";
  const name = attributeOf(type, Attribute.NAME);
  const target = () => typeInWords(entries.get(numberOf(type, Attribute.TYPE)), entries, depth + 1);
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
          .map(
            (bound) => `[${numberOf(bound, Attribute.COUNT) || numberOf(bound, Attribute.UPPER_BOUND) + 1}]`,
          )
          .join("")
      );
    default: {
      const keyword = KEYWORDS[type.tag] ?? "type";
      return typeof name === "string"
        ? `${keyword} ${name}`
        : `${keyword} of ${numberOf(type, Attribute.BYTE_SIZE)} bytes`;
    }
  }
}
