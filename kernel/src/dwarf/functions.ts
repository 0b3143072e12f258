import type { ElfObject, ElfSection } from "../elf/object.js";
import { Attribute, CodeAttribute, CodeTag, RangeEntry, Tag } from "./constants.js";
import { type Address, Cursor } from "./cursor.js";
import { type Declaration, filesOf, LAYOUT_TAGS } from "./debug-information.js";
import { attributeOf, type Entry, hasAttribute, readUnits, type Unit } from "./units.js";

/**
 * What the compiler says of the code and of the static variables in it, read as far as it is asked for; what is
 * damaged throws RangeError then.
 */
export interface CodeInformation {
  /** A function with code of its own. */
  readonly functionNamed: (name: string) => CompiledFunction | undefined;
  readonly locals: () => readonly StaticLocal[];
}

export interface CompiledFunction {
  readonly name: string;
  readonly declaration: Declaration;
  /** All that was inlined into it, over any number of levels; what is inside of another stands behind it. */
  readonly inlined: readonly Inlined[];
  /** Names of the structs, unions and enums of its variables and parameters, inlined ones' too, or that they point to. */
  readonly types: ReadonlySet<string>;
}

/** A function's body in the code of another. */
export interface Inlined {
  readonly name: string;
  /** Where it is declared. */
  readonly declaration: Declaration;
  /** Whether the code at an offset of a section comes from it. */
  readonly covers: (section: ElfSection, offset: number) => boolean;
}

/** A static variable that is declared in a function, also one that is inlined wherever it is called. */
export interface StaticLocal {
  readonly name: string;
  /** The function that declares it, by its name in the source. */
  readonly owner: string;
  /** How many of the same name the function declares before it. */
  readonly ordinal: number;
  readonly section: ElfSection;
  readonly offset: number;
}

/** Tags of what {@link readCodeInformation} goes by; those of types are among them. */
export const CODE_TAGS: ReadonlySet<number> = new Set([...Object.values(CodeTag), ...LAYOUT_TAGS]);

interface Span {
  readonly section: ElfSection;
  readonly start: number;
  readonly end: number;
}

/**
 * Reads what the DWARF of an object says of its code (DWARF 5, 3.3).
 * @param units what was read of it already, for other purposes too
 * @returns undefined when the object has none
 * @throws RangeError when it is damaged or of an unknown version
 */
export function readCodeInformation(
  object: ElfObject,
  units: Iterable<Unit> | undefined = readUnits(object, CODE_TAGS),
): CodeInformation | undefined {
  if (units === undefined) return undefined;
  const described: { reader: UnitReader; entry: Entry; name: string }[] = [];
  for (const unit of units) {
    const reader = new UnitReader(object, unit);
    for (const entry of unit.root?.children ?? []) {
      const name = entry.tag === Tag.SUBPROGRAM ? reader.nameOf(entry) : undefined;
      if (name !== undefined) described.push({ reader, entry, name });
    }
  }
  const compiled = new Map(
    described.filter(({ entry }) => hasCode(entry)).map((function_) => [function_.name, function_]),
  );
  const known = new Map<string, CompiledFunction>();
  return {
    functionNamed(name) {
      const found = compiled.get(name);
      if (found === undefined) return undefined;
      const function_ = known.get(name) ?? found.reader.compiled(found.entry, name);
      known.set(name, function_);
      return function_;
    },
    locals: () =>
      withoutRepetition(described.flatMap(({ reader, entry, name }) => reader.localsOf(entry, name))),
  };
}

function hasCode(entry: Entry): boolean {
  return hasAttribute(entry, CodeAttribute.LOW_PC) || hasAttribute(entry, CodeAttribute.RANGES);
}

/** A function that exists on its own and inlined tells of its variables twice. */
function withoutRepetition(locals: readonly StaticLocal[]): StaticLocal[] {
  const seen = new Map<ElfSection, Set<number>>();
  return locals.filter(({ section, offset }) => {
    const offsets = seen.get(section) ?? new Set();
    seen.set(section, offsets);
    return offsets.has(offset) ? false : offsets.add(offset);
  });
}

class UnitReader {
  readonly #object: ElfObject;
  readonly #unit: Unit;
  readonly #files: readonly string[];
  readonly #base: Address | undefined;

  constructor(object: ElfObject, unit: Unit) {
    this.#object = object;
    this.#unit = unit;
    this.#files = filesOf(object, unit);
    this.#base = addressIn(unit.root, CodeAttribute.LOW_PC);
  }

  nameOf(entry: Entry): string | undefined {
    const name = attributeOf(this.#abstract(entry), Attribute.NAME);
    return typeof name === "string" ? name : undefined;
  }

  compiled(entry: Entry, name: string): CompiledFunction {
    const inlined: Inlined[] = [];
    const types = new Set<string>();
    const visit = (parent: Entry) => {
      for (const child of parent.children) {
        if (child.tag === CodeTag.FORMAL_PARAMETER || child.tag === Tag.VARIABLE) this.#addType(child, types);
        if (child.tag === CodeTag.INLINED_SUBROUTINE) {
          const inner = this.nameOf(child);
          if (inner !== undefined)
            inlined.push({
              name: inner,
              declaration: this.#declaration(this.#abstract(child)),
              covers: this.#coverage(child),
            });
        }
        if (child.tag === CodeTag.INLINED_SUBROUTINE || child.tag === CodeTag.LEXICAL_BLOCK) visit(child);
      }
    };
    visit(entry);
    return { name, declaration: this.#declaration(this.#abstract(entry)), inlined, types };
  }

  localsOf(entry: Entry, owner: string): StaticLocal[] {
    const locals: StaticLocal[] = [];
    const counts = new Map<string, number>();
    const visit = (parent: Entry) => {
      for (const child of parent.children) {
        if (child.tag === CodeTag.LEXICAL_BLOCK) visit(child);
        if (child.tag !== Tag.VARIABLE) continue;
        const address = addressIn(child, CodeAttribute.LOCATION);
        const name = this.nameOf(child);
        if (address === undefined || name === undefined || typeof address.symbol.section === "string")
          continue;
        const ordinal = counts.get(name) ?? 0;
        counts.set(name, ordinal + 1);
        const offset = address.symbol.value + address.addend;
        locals.push({ name, owner, ordinal, section: address.symbol.section, offset });
      }
    };
    visit(entry);
    return locals;
  }

  #abstract(entry: Entry): Entry {
    let here = entry;
    for (let depth = 0; depth < 8; depth++) {
      const origin = attributeOf(here, CodeAttribute.ABSTRACT_ORIGIN);
      const next = typeof origin === "number" ? this.#unit.entries.get(origin) : undefined;
      if (next === undefined) break;
      here = next;
    }
    return here;
  }

  #declaration(entry: Entry): Declaration {
    const [file, line] = [
      attributeOf(entry, Attribute.DECLARATION_FILE),
      attributeOf(entry, Attribute.DECLARATION_LINE),
    ];
    return {
      file: (typeof file === "number" ? this.#files[file] : undefined) ?? "",
      line: typeof line === "number" ? line : 0,
    };
  }

  #addType(entry: Entry, types: Set<string>): void {
    let here: Entry | undefined = this.#abstract(entry);
    for (let depth = 0; here && depth < 8; depth++) {
      const next = attributeOf(here, Attribute.TYPE);
      here = typeof next === "number" ? this.#unit.entries.get(next) : undefined;
      const name = here && attributeOf(here, Attribute.NAME);
      if (here && typeof name === "string" && COMPOUND.has(here.tag)) types.add(name);
    }
  }

  /** Ranges are read when they are asked for: most never are. */
  #coverage(entry: Entry): Inlined["covers"] {
    let spans: readonly Span[] | undefined;
    return (section, offset) => {
      spans ??= this.#spansOf(entry);
      return spans.some((span) => span.section === section && span.start <= offset && offset < span.end);
    };
  }

  #spansOf(entry: Entry): Span[] {
    const list = attributeOf(entry, CodeAttribute.RANGES);
    if (typeof list === "number") return this.#rangeList(list);
    const start = addressIn(entry, CodeAttribute.LOW_PC);
    const end = attributeOf(entry, CodeAttribute.HIGH_PC);
    if (start === undefined) return [];
    const length = typeof end === "number" ? end : isAddress(end) ? end.addend - start.addend : 0;
    return spanAt(start, 0, length);
  }

  /** DWARF 5, 2.17.3: by offset, or by index for units that keep a table of offsets; DWARF 4 has a section of pairs. */
  #rangeList(value: number): Span[] {
    const { littleEndian, sections } = this.#object;
    const { strings } = this.#unit;
    const section = sections.find(({ name }) => name === ".debug_rnglists");
    if (section === undefined) return this.#rangePairs(value);
    let offset = value;
    if (offset < strings.bases.ranges) {
      const table = new Cursor(section, littleEndian, strings, strings.bases.ranges + value * 4);
      offset = strings.bases.ranges + table.u32();
    }
    const cursor = new Cursor(section, littleEndian, strings, offset);
    const spans: Span[] = [];
    let base = this.#base;
    for (;;) {
      const kind = cursor.u8();
      switch (kind) {
        case RangeEntry.END_OF_LIST:
          return spans;
        case RangeEntry.BASE_ADDRESSX:
          base = strings.address(cursor.uleb());
          break;
        case RangeEntry.BASE_ADDRESS:
          base = cursor.address(8);
          break;
        case RangeEntry.OFFSET_PAIR: {
          const [start, end] = [cursor.uleb(), cursor.uleb()];
          spans.push(...spanAt(base, start, end));
          break;
        }
        case RangeEntry.STARTX_LENGTH: {
          const start = strings.address(cursor.uleb());
          spans.push(...spanAt(start, 0, cursor.uleb()));
          break;
        }
        case RangeEntry.STARTX_ENDX: {
          const [start, end] = [strings.address(cursor.uleb()), strings.address(cursor.uleb())];
          spans.push(...spanAt(start, 0, (end?.addend ?? 0) - (start?.addend ?? 0)));
          break;
        }
        case RangeEntry.START_LENGTH: {
          const start = cursor.address(8);
          spans.push(...spanAt(start, 0, cursor.uleb()));
          break;
        }
        case RangeEntry.START_END: {
          const [start, end] = [cursor.address(8), cursor.address(8)];
          spans.push(...spanAt(start, 0, (end?.addend ?? 0) - (start?.addend ?? 0)));
          break;
        }
        default:
          throw new RangeError(`unknown range list entry ${kind}`);
      }
    }
  }

  /** `.debug_ranges`: DWARF 4, 2.17.3. Both addresses of a pair are relocated, or both are zero. */
  #rangePairs(offset: number): Span[] {
    const section = this.#object.sections.find(({ name }) => name === ".debug_ranges");
    if (section === undefined) return [];
    const cursor = new Cursor(section, this.#object.littleEndian, this.#unit.strings, offset);
    const spans: Span[] = [];
    while (!cursor.atEnd) {
      const [start, end] = [cursor.address(8), cursor.address(8)];
      if (start === undefined || end === undefined) break;
      spans.push(...spanAt(start, 0, end.symbol.value + end.addend - start.symbol.value - start.addend));
    }
    return spans;
  }
}

const COMPOUND: ReadonlySet<number> = new Set([Tag.STRUCTURE, Tag.UNION, Tag.ENUMERATION, Tag.TYPEDEF]);

function isAddress(value: unknown): value is Address {
  return typeof value === "object" && value !== null;
}

function addressIn(entry: Entry | undefined, attribute: number): Address | undefined {
  const value = entry && attributeOf(entry, attribute);
  return isAddress(value) ? value : undefined;
}

function spanAt(base: Address | undefined, start: number, end: number): Span[] {
  if (base === undefined || typeof base.symbol.section === "string") return [];
  const from = base.symbol.value + base.addend;
  return [{ section: base.symbol.section, start: from + start, end: from + end }];
}
