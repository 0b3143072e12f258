import { SectionFlag, SectionType, SymbolType } from "../elf/format.js";
import type { ElfObject, ElfSection, ElfSymbol } from "../elf/object.js";
import { ElfError } from "../elf/read.js";
import { type ObjectArchitecture, storesAddress } from "./architecture.js";
import { divideEntries } from "./entries.js";
import { restoreRelocations } from "./restore-relocations.js";

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
  /** Bytes that mean something; what is behind them pads the way to the next. */
  readonly used: number;
  /** From `start`: where its name points. Functions can have room or a hash before it. */
  readonly entry: number;
  /** Of an entry: offset of the 16-bit source line in it, if it has one. */
  readonly line?: number;
  /** Symbols defined in it, that of its name first. */
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
  /** The target's address is stored or computed, as opposed to jumped to. */
  readonly address: boolean;
}

/** An object taken apart. */
export interface AtomicObject {
  readonly object: ElfObject;
  readonly architecture: ObjectArchitecture;
  /** All but entries, in the order of the file. */
  readonly atoms: readonly Atom[];
  /** Names of special sections whose entries could not be told apart or point at no code. */
  readonly unreadable: readonly string[];
  /** Bytes from one entry of a special section to the next, by the section's name; where there are several entries. */
  readonly strides: ReadonlyMap<string, number>;
  /** Functions that cannot be taken out of their section, and why. */
  readonly bound: ReadonlyMap<Atom, string>;
}

/** Whether a reference's target is an atom; otherwise it is a symbol from elsewhere. */
export function isAtom(target: Atom | ElfSymbol): target is Atom {
  return "references" in target;
}

/** The bytes of an atom. */
export function bytesOf({ section, start, end }: Atom): Uint8Array {
  return section.data.subarray(start, end);
}

/** The bytes that count when it is compared. */
export function usedBytesOf({ section, start, used }: Atom): Uint8Array {
  return section.data.subarray(start, start + used);
}

/** Whether a reference leads to the place that its target's name stands for. */
export function isToEntry({ target, at }: Reference): boolean {
  return isAtom(target) && at === target.entry;
}

/** Each costs a hundred times its byte, if it is an empty string; the largest units of the kernel have some ten thousand. */
const MOST_ATOMS = 2 ** 20;

function checkCount(count: number): void {
  if (count > MOST_ATOMS)
    throw new ElfError(`it holds more than ${MOST_ATOMS} functions, variables and constants`);
}

/**
 * Takes an object apart into atoms and finds out what each refers to. Where the assembler resolved references between
 * functions of one section, the object gets the relocations back that it would otherwise have.
 * @throws ElfError when there are more of them than any kernel object has
 */
export function takeApart(object: ElfObject, architecture: ObjectArchitecture): AtomicObject {
  const symbolsIn = symbolsBySection(object, architecture);
  const context: Context = {
    constants: architecture.constants ?? {},
    roomBefore: roomBeforeFunctions(object),
    isEntryPoint: entryPoints(object),
  };
  const bySection = new Map<ElfSection, Atom[]>();
  const special: ElfSection[] = [];
  const bound = new Map<Atom, string>();
  let count = 0;
  for (const section of object.sections) {
    if (architecture.special[section.name] !== undefined) special.push(section);
    else if (holdsProgram(section)) {
      const atoms = atomsOf(section, symbolsIn.get(section) ?? [], context);
      count += atoms.length;
      checkCount(count);
      bySection.set(section, atoms);
    }
  }
  for (const section of bySection.keys())
    if (isSnippets(section)) bySection.set(section, divideSnippets(object, section, architecture));
  for (const atoms of bySection.values()) restoreRelocations(object, atoms, architecture, bound);
  for (const atoms of bySection.values()) addReferences(atoms, bySection, architecture);
  const unreadable = new Set<string>();
  const strides = new Map<string, number>();
  for (const section of special) {
    const entries = divideEntries(section, architecture, (place) => isCode(place));
    if (entries === undefined) {
      unreadable.add(section.name);
      continue;
    }
    const [first, second] = entries;
    if (first && second) strides.set(section.name, second.start - first.start);
    addReferences(entries, bySection, architecture);
    for (const entry of entries) {
      const owner = entry.references[0]?.target;
      if (owner !== undefined && isAtom(owner) && isOwner(owner)) owner.entries.push(entry);
      else unreadable.add(section.name);
    }
  }
  const atoms = [...bySection.values()].flat();
  // The order of the sections in the file is of no consequence and changes easily.
  for (const atom of atoms) atom.entries.sort(byPlace);
  return { object, architecture, atoms, unreadable: [...unreadable], strides, bound };
}

/** Snippets have exceptions of their own. */
function isOwner({ kind, section }: Atom): boolean {
  return kind === "function" || isCode(section);
}

function isCode(place: ElfSymbol["section"]): boolean {
  return typeof place !== "string" && (place.flags & SectionFlag.EXECINSTR) !== 0;
}

/** What is known of an object before it is divided. */
interface Context {
  /** Bytes of each, by the name of a section that holds nothing else. */
  readonly constants: Readonly<Record<string, number>>;
  /** Places before functions where -fpatchable-function-entry left room, by section. */
  readonly roomBefore: ReadonlyMap<ElfSection, readonly number[]>;
  /** Whether a relocation may lead to a function: to its first byte, or to something elsewhere. */
  readonly isEntryPoint: (symbol: ElfSymbol, addend: number) => boolean;
}

function roomBeforeFunctions({ sections }: ElfObject): Map<ElfSection, number[]> {
  const room = new Map<ElfSection, number[]>();
  for (const section of sections) {
    if (section.name !== "__patchable_function_entries") continue;
    for (const { symbol, addend } of section.relocations) {
      if (typeof symbol.section === "string") continue;
      const places = room.get(symbol.section) ?? [];
      room.set(symbol.section, places);
      places.push(symbol.value + addend);
    }
  }
  return room;
}

function entryPoints({ symbols }: ElfObject): Context["isEntryPoint"] {
  const places = new Map<ElfSection, Set<number>>();
  for (const { type, section, value } of symbols) {
    if (type !== SymbolType.FUNCTION || typeof section === "string") continue;
    const known = places.get(section) ?? new Set();
    places.set(section, known.add(value));
  }
  return ({ section, value }, addend) =>
    typeof section === "string"
      ? section === "undefined"
      : (places.get(section)?.has(value + addend) ?? false);
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
  // Unwind tables: debuggers read them. arm64 also finds return addresses to sign by them at load
  // (arch/arm64/kernel/module.c, scs_patch); without them, code keeps signing with pointer authentication.
  if (/^(\.init)?\.eh_frame|^\.sframe/.test(name)) return false;
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

function atomsOf(section: ElfSection, symbols: readonly ElfSymbol[], context: Context): Atom[] {
  const { flags } = section;
  if (flags & SectionFlag.EXECINSTR)
    return divideCode(section, symbols, context.roomBefore.get(section) ?? []);
  const size = context.constants[section.name];
  if (size !== undefined || flags & SectionFlag.MERGE) return divideConstants(section, symbols, size);
  return divideData(section, symbols, context.isEntryPoint);
}

/**
 * What macros keep for one place in the code: WARN_ONCE and its kin, rate limits, lockdep's classes, dynamic debug and
 * the index of messages. The patched code gets its own; all that is lost is that a warning has been printed before.
 * clang puts the function's name before it.
 */
const CALL_SITE_KEY =
  /^([\w$]+\.)?(__key|_rs|__warned|__already_done|__print_once|descriptor|_entry|_entry_ptr|__UNIQUE_ID_ddebug\d+)(\.\d+)*$/;

/**
 * What sanitizers write down for one place in the code, for a type or a variable: CONFIG_UBSAN, CONFIG_KASAN. clang has
 * no name for it.
 */
const SANITIZER_DATA = /^\.data.*\.\.?L(ubsan_|ASAN)|^\.data\.(\.L)?__unnamed_\d+$/;

/** Names that gcc and clang give to constants; most are not in the symbol table. */
const MADE_UP =
  /^(\.str|\.L|\*?\.LC|__func__|__FUNCTION__|__PRETTY_FUNCTION__|__const|switch\.table|CSWTCH)(\.|$)/;

/** Code addresses for computed jumps: include/linux/compiler.h, `__annotate_jump_table`. */
const JUMP_TABLE = /^\.rodata\.\.c_jump_table/;

/**
 * Read-only data that carries a number the compiler made up (`__func__.3`, `CSWTCH.7`, static local tables), or no name
 * at all, is the same wherever its content is; and of something without size nothing but its place is ever used. A
 * table of functions is more than its content: objects that live on may hold its address.
 */
function isConstant(section: ElfSection, name: string, size: number, namesFunctions: boolean): boolean {
  if (size === 0 || CALL_SITE_KEY.test(name)) return true;
  if (SANITIZER_DATA.test(section.name) || JUMP_TABLE.test(section.name)) return true;
  if (!isReadOnly(section)) return false;
  return name === "" || MADE_UP.test(name) || (/\.\d+$/.test(name) && !namesFunctions);
}

/** Constants, also those whose pointers are set when they are loaded. */
export function isReadOnly({ name, flags }: ElfSection): boolean {
  return name.startsWith(".data.rel.ro") || (name.startsWith(".rodata") && (flags & SectionFlag.WRITE) === 0);
}

function divideData(
  section: ElfSection,
  symbols: readonly ElfSymbol[],
  isEntryPoint: Context["isEntryPoint"],
): Atom[] {
  return divide(section, symbols).map(({ start, end, own }) => {
    const name = own[0]?.name ?? "";
    const relocations = relocationsWithin(section, start, end);
    const size = Math.max(0, ...own.map((symbol) => symbol.size));
    const namesFunctions = relocations.some(({ symbol, addend }) => isEntryPoint(symbol, addend));
    const isPadded =
      size > 0 &&
      section.data.subarray(start + size, end).every((byte) => byte === 0) &&
      relocations.every(({ offset }) => offset < start + size);
    return {
      kind: isConstant(section, name, end - start, namesFunctions) ? "constant" : "data",
      section,
      start,
      end,
      used: isPadded ? Math.min(size, end - start) : end - start,
      entry: 0,
      symbols: own,
      name,
      references: [],
      entries: [],
    };
  });
}

/**
 * Divides code into functions. What compilers put before a function belongs to it: room to patch
 * (-fpatchable-function-entry), the hash of its type with its own symbol (`__cfi_NAME`, clang -fsanitize=kcfi), and
 * what objtool calls that room (`__pfx_NAME`, tools/objtool/check.c, add_prefix_symbol).
 */
function divideCode(section: ElfSection, symbols: readonly ElfSymbol[], room: readonly number[]): Atom[] {
  // Labels that assembly leaves within a function are no functions.
  const typed = symbols.filter((symbol) => symbol.type === SymbolType.FUNCTION);
  const functions = typed.length > 0 ? typed : symbols;
  const names = new Set(functions.map(({ name }) => name));
  const prefixes = functions.filter(({ name }) => names.has(/^__(cfi|pfx)_(.+)$/.exec(name)?.[2] ?? ""));
  const isPrefix = new Set(prefixes);
  const isEmpty = (from: number, to: number) =>
    relocationsWithin(section, from, to).length === 0 &&
    // Labels of the assembler's own name nothing (GNU as, "Symbol Names").
    symbols.every(
      (symbol) =>
        symbol.value < from || symbol.value >= to || symbol.name.startsWith(".L") || isPrefix.has(symbol),
    );
  const pieces = divide(
    section,
    functions.filter((symbol) => !isPrefix.has(symbol)),
  );
  let before = 0;
  return pieces.flatMap(({ start: value, end: next, own }, index): Atom[] => {
    // Nothing but room in front of the first function.
    if (index === 0 && own.length === 0 && pieces.length > 1 && isEmpty(value, next)) return [];
    const gap = [...room, ...prefixes.map((symbol) => symbol.value)].filter(
      (place) => place >= before && place <= value,
    );
    const start = own.length === 0 ? value : before === 0 ? 0 : Math.min(value, ...gap);
    const size = Math.max(0, ...own.map((symbol) => symbol.size));
    const isPadded =
      size > 0 &&
      value + size < next &&
      isEmpty(value + size, next) &&
      (next < section.data.length || next - value - size < section.align);
    const used = isPadded ? value + size : next;
    before = used;
    const ownPrefixes = prefixes.filter((symbol) => symbol.value >= start && symbol.value <= value);
    return [
      {
        kind: "function",
        section,
        start,
        end: used,
        used: used - start,
        entry: value - start,
        symbols: [...own, ...ownPrefixes],
        name: own[0]?.name ?? "",
        references: [],
        entries: [],
      },
    ];
  });
}

/** Divides a section where its symbols start. */
function divide(
  section: ElfSection,
  symbols: readonly ElfSymbol[],
): { start: number; end: number; own: readonly ElfSymbol[] }[] {
  // Global before local, so that an alias everybody knows gives the name.
  const here = symbolsByValue(symbols.toSorted((a, b) => a.value - b.value || b.binding - a.binding));
  const starts = [...new Set([0, ...here.keys()])];
  return starts.map((start, index) => ({
    start,
    end: starts[index + 1] ?? section.data.length,
    own: here.get(start) ?? [],
  }));
}

function relocationsWithin(
  { relocations }: ElfSection,
  start: number,
  end: number,
): ElfSection["relocations"] {
  let low = 0;
  let high = relocations.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((relocations[middle]?.offset ?? start) < start) low = middle + 1;
    else high = middle;
  }
  let last = low;
  while ((relocations[last]?.offset ?? end) < end) last++;
  return relocations.slice(low, last);
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
function divideConstants(
  section: ElfSection,
  symbols: readonly ElfSymbol[],
  size = section.entrySize,
): Atom[] {
  const starts = [0];
  const { data, flags } = section;
  const step = Math.max(size, 1);
  if (flags & SectionFlag.STRINGS && step === 1)
    for (let at = data.indexOf(0) + 1; at > 0 && at < data.length; at = data.indexOf(0, at) + 1)
      starts.push(at);
  else
    for (let at = step; at < data.length; at += step) {
      const endsBefore = data.subarray(at - step, at).every((byte) => byte === 0);
      if (!(flags & SectionFlag.STRINGS) || endsBefore) starts.push(at);
    }
  checkCount(starts.length);
  const named = symbolsByValue(symbols);
  return starts.map((start, index) =>
    constantAt(section, start, starts[index + 1] ?? data.length, named.get(start)),
  );
}

/** `.fixup` of kernels before 5.16, `.altinstr_replacement` and `.altinstr_aux` (x86: asm/alternative.h, asm/cpufeature.h): code without symbols. */
function isSnippets({ name, flags }: ElfSection): boolean {
  return (name.startsWith(".altinstr_") || name === ".fixup") && (flags & SectionFlag.EXECINSTR) !== 0;
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
  return sorted.map((start, index) => constantAt(section, start, sorted[index + 1] ?? section.data.length));
}

function constantAt(
  section: ElfSection,
  start: number,
  end: number,
  symbols: readonly ElfSymbol[] = [],
): Atom {
  const used = end - start;
  return {
    kind: "constant",
    section,
    start,
    end,
    used,
    entry: 0,
    symbols,
    name: "",
    references: [],
    entries: [],
  };
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
        address: storesAddress(architecture, section, relocation),
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
