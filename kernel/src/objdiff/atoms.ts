import { SectionFlag, SectionType, SymbolType } from "../elf/format.js";
import type { ElfObject, ElfSection, ElfSymbol } from "../elf/object.js";
import type { ObjectArchitecture, SpecialSection } from "./architecture.js";

/**
 * The smallest piece of an object that is compared and carried as a whole: a function, a variable, a string, an entry
 * of a table that describes code.
 */
export interface Atom {
  /**
   * `function`: code with or without a name. `data`: a variable, correlated by name. `constant`: without a
   * lasting name or value, correlated by content. `entry`: of a special section, belongs to a function.
   */
  readonly kind: "function" | "data" | "constant" | "entry";
  readonly section: ElfSection;
  /** Offsets in the section; `end` is exclusive. */
  readonly start: number;
  readonly end: number;
  /** Symbols defined in it, those at its start first. */
  readonly symbols: readonly ElfSymbol[];
  /** The first symbol's name; empty when there is none. */
  readonly name: string;
  /** What its bytes refer to, by offset. */
  references: readonly Reference[];
  /** Entries of special sections that describe this function; empty for all else. */
  readonly entries: Atom[];
}

export interface Reference {
  /** From the atom's start. */
  readonly offset: number;
  readonly type: number;
  /** The relocation's own symbol: of the target, of its section, or from elsewhere. */
  readonly symbol: ElfSymbol;
  /** An atom of the same object, or a symbol that is not defined in it. */
  readonly target: Atom | ElfSymbol;
  /** Offset in the target that is really meant. */
  readonly at: number;
  /** What the addend was corrected by to get there. */
  readonly bias: number;
}

/** An object taken apart. */
export interface AtomicObject {
  readonly object: ElfObject;
  readonly architecture: ObjectArchitecture;
  /** All but entries, in the order of the file. */
  readonly atoms: readonly Atom[];
  /** Names of special sections whose entries could not be told apart or point at no code. */
  readonly unreadable: readonly string[];
}

/** Whether a reference's target is an atom; otherwise it is a symbol from elsewhere. */
export function isAtom(target: Atom | ElfSymbol): target is Atom {
  return "references" in target;
}

/** The bytes of an atom. */
export function bytesOf({ section, start, end }: Atom): Uint8Array {
  return section.data.subarray(start, end);
}

/** Takes an object apart into atoms and finds out what each refers to. */
export function takeApart(object: ElfObject, architecture: ObjectArchitecture): AtomicObject {
  const symbolsIn = symbolsBySection(object, architecture);
  const bySection = new Map<ElfSection, Atom[]>();
  const special: [ElfSection, SpecialSection][] = [];
  for (const section of object.sections) {
    const table = architecture.special[section.name];
    if (table !== undefined) special.push([section, table]);
    else if (holdsProgram(section)) bySection.set(section, atomsOf(section, symbolsIn.get(section) ?? []));
  }
  for (const section of bySection.keys())
    if (isSnippets(section)) bySection.set(section, divideSnippets(object, section, architecture));
  for (const atoms of bySection.values()) addReferences(atoms, bySection, architecture);
  const unreadable: string[] = [];
  for (const [section, table] of special) {
    const entries = divideEntries(section, table);
    if (entries === undefined) {
      unreadable.push(section.name);
      continue;
    }
    addReferences(entries, bySection, architecture);
    for (const entry of entries) {
      const owner = entry.references[0]?.target;
      if (owner !== undefined && isAtom(owner) && owner.kind === "function") owner.entries.push(entry);
      else unreadable.push(section.name);
    }
  }
  const atoms = [...bySection.values()].flat();
  // The order of the sections in the file is of no consequence and changes easily.
  for (const atom of atoms) atom.entries.sort(byPlace);
  return { object, architecture, atoms, unreadable: [...new Set(unreadable)] };
}

function byPlace(a: Atom, b: Atom): number {
  if (a.section === b.section) return a.start - b.start;
  return a.section.name < b.section.name ? -1 : 1;
}

/** Code, data and constants that reach the running kernel; not debug information, notes and scratch sections. */
function holdsProgram({ name, flags, type }: ElfSection): boolean {
  // Written by scripts and read by modpost, objtool or the printk index, never by code that is carried.
  if (name.startsWith(".discard") || name === ".printk_index") return false;
  // Derived from the code by objtool, which makes it anew for what is carried.
  if (name.startsWith(".orc_")) return false;
  return (flags & SectionFlag.ALLOC) !== 0 && type !== SectionType.NOTE;
}

function symbolsBySection(object: ElfObject, architecture: ObjectArchitecture): Map<ElfSection, ElfSymbol[]> {
  const symbols = new Map<ElfSection, ElfSymbol[]>();
  for (const symbol of object.symbols) {
    if (typeof symbol.section === "string" || symbol.name === "") continue;
    if (symbol.type === SymbolType.SECTION || symbol.type === SymbolType.FILE) continue;
    if (architecture.isMarker(symbol.name)) continue;
    const list = symbols.get(symbol.section);
    if (list === undefined) symbols.set(symbol.section, [symbol]);
    else list.push(symbol);
  }
  return symbols;
}

function atomsOf(section: ElfSection, symbols: readonly ElfSymbol[]): Atom[] {
  const { flags } = section;
  if (flags & SectionFlag.EXECINSTR) {
    // Labels that assembly leaves within a function are no functions.
    const functions = symbols.filter((symbol) => symbol.type === SymbolType.FUNCTION);
    return divide(section, functions.length > 0 ? functions : symbols, () => "function");
  }
  if (flags & SectionFlag.MERGE) return divideConstants(section, symbols);
  return divide(section, symbols, (atom) => (isConstant(section, atom) ? "constant" : "data"));
}

/**
 * What macros keep for one place in the code: WARN_ONCE and its kin, rate limits, lockdep's classes, dynamic debug. The
 * patched code gets its own; all that is lost is that a warning has been printed before.
 */
const CALL_SITE_KEY =
  /^(__key|_rs|__warned|__already_done|__print_once|descriptor|__UNIQUE_ID_ddebug\d+)(\.|$)/;

/**
 * Read-only data that carries a number the compiler made up (`__func__.3`, `CSWTCH.7`, static local tables), or no name
 * at all, is the same wherever its content is; and of something without size nothing but its place is ever used.
 */
function isConstant(section: ElfSection, { name, size }: { name: string; size: number }): boolean {
  if (size === 0 || CALL_SITE_KEY.test(name)) return true;
  const readOnly = (section.flags & SectionFlag.WRITE) === 0 && section.name.startsWith(".rodata");
  return readOnly && (name === "" || /\.\d+$/.test(name));
}

/** Divides a section where its symbols start. */
function divide(
  section: ElfSection,
  symbols: readonly ElfSymbol[],
  kindOf: (atom: { name: string; size: number }) => Atom["kind"],
): Atom[] {
  // Global before local, so that an alias everybody knows gives the name.
  const here = symbolsByValue(symbols.toSorted((a, b) => a.value - b.value || b.binding - a.binding));
  const starts = [...new Set([0, ...here.keys()])];
  const atoms: Atom[] = [];
  for (const [index, start] of starts.entries()) {
    const end = starts[index + 1] ?? section.data.length;
    const own = here.get(start) ?? [];
    const name = own[0]?.name ?? "";
    const kind = kindOf({ name, size: end - start });
    atoms.push({ kind, section, start, end, symbols: own, name, references: [], entries: [] });
  }
  return atoms;
}

function symbolsByValue(symbols: readonly ElfSymbol[]): Map<number, ElfSymbol[]> {
  const byValue = new Map<number, ElfSymbol[]>();
  for (const symbol of symbols) {
    const list = byValue.get(symbol.value);
    if (list === undefined) byValue.set(symbol.value, [symbol]);
    else list.push(symbol);
  }
  return byValue;
}

/** Strings one by one, and numbers of the section's entry size. */
function divideConstants(section: ElfSection, symbols: readonly ElfSymbol[]): Atom[] {
  const starts = [0];
  const { data, entrySize, flags } = section;
  const step = Math.max(entrySize, 1);
  for (let at = step; at < data.length; at += step) {
    const endsBefore = data.subarray(at - step, at).every((byte) => byte === 0);
    if (!(flags & SectionFlag.STRINGS) || endsBefore) starts.push(at);
  }
  const named = symbolsByValue(symbols);
  return starts.map((start, index) => ({
    kind: "constant",
    section,
    start,
    end: starts[index + 1] ?? data.length,
    symbols: named.get(start) ?? [],
    name: "",
    references: [],
    entries: [],
  }));
}

/** `.altinstr_replacement` and `.altinstr_aux` (x86: asm/alternative.h, asm/cpufeature.h): code without symbols. */
function isSnippets({ name, flags }: ElfSection): boolean {
  return name.startsWith(".altinstr_") && (flags & SectionFlag.EXECINSTR) !== 0;
}

/** Divides code without symbols where anything points to. */
function divideSnippets(object: ElfObject, section: ElfSection, architecture: ObjectArchitecture): Atom[] {
  const starts = new Set<number>([0]);
  for (const other of object.sections)
    if ((other.flags & SectionFlag.ALLOC) !== 0)
      for (const relocation of other.relocations)
        if (relocation.symbol.section === section)
          starts.add(relocation.symbol.value + relocation.addend + architecture.bias(other, relocation));
  const sorted = [...starts].filter((start) => start <= section.data.length).sort((a, b) => a - b);
  return sorted.map((start, index) => ({
    kind: "constant",
    section,
    start,
    end: sorted[index + 1] ?? section.data.length,
    symbols: [],
    name: "",
    references: [],
    entries: [],
  }));
}

/** @returns undefined when the relocations do not stand at the same places in every entry */
function divideEntries(section: ElfSection, { relocations: each }: SpecialSection): Atom[] | undefined {
  const { relocations, data } = section;
  if (data.length === 0) return [];
  if (relocations.length === 0 || relocations.length % each !== 0) return undefined;
  const starts: number[] = [];
  for (let at = 0; at < relocations.length; at += each) starts.push(relocations[at]?.offset ?? 0);
  const size = (starts[1] ?? data.length) - (starts[0] ?? 0);
  const entries: Atom[] = [];
  for (const [index, start] of starts.entries()) {
    // Only the last may lack the padding behind it (.parainstructions aligns the start of each entry).
    const end = starts[index + 1] ?? data.length;
    if (start !== index * size || end - start > size) return undefined;
    for (let number = 1; number < each; number++) {
      const place = (relocations[index * each + number]?.offset ?? 0) - start;
      if (place !== relocations[number]?.offset) return undefined;
    }
    entries.push({ kind: "entry", section, start, end, symbols: [], name: "", references: [], entries: [] });
  }
  return entries;
}

/** Resolves the relocations of one section's atoms. */
function addReferences(
  atoms: readonly Atom[],
  bySection: ReadonlyMap<ElfSection, readonly Atom[]>,
  architecture: ObjectArchitecture,
): void {
  const section = atoms[0]?.section;
  if (section === undefined) return;
  let next = 0;
  for (const atom of atoms) {
    const references: Reference[] = [];
    for (; next < section.relocations.length; next++) {
      const relocation = section.relocations[next];
      if (relocation === undefined || relocation.offset >= atom.end) break;
      const { offset, type, symbol, addend } = relocation;
      const bias = architecture.bias(section, relocation);
      const place = symbol.value + addend + bias;
      const neighbours = typeof symbol.section === "string" ? undefined : bySection.get(symbol.section);
      // A named symbol says which atom is meant even if the addend leads out of it.
      const target =
        neighbours && atomAt(neighbours, symbol.type === SymbolType.SECTION ? place : symbol.value);
      references.push({
        offset: offset - atom.start,
        type,
        symbol,
        bias,
        ...(target ? { target, at: place - target.start } : { target: symbol, at: addend + bias }),
      });
    }
    atom.references = references;
  }
}

/** The last atom that starts at or before `place`. */
function atomAt(atoms: readonly Atom[], place: number): Atom | undefined {
  let low = 0;
  let high = atoms.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((atoms[middle]?.start ?? 0) <= place) low = middle + 1;
    else high = middle;
  }
  return atoms[Math.max(low - 1, 0)];
}
