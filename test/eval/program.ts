import { SectionFlag, SymbolType } from "@kernel-hotpatch/kernel/elf/format";
import type { ElfObject, ElfRelocation, ElfSection, ElfSymbol } from "@kernel-hotpatch/kernel/elf/object";

/** A function or variable of an object, in a form that is equal for what does and holds the same. */
export interface Piece {
  /** Without the number that the compiler gave it, and without `.isra`, `.constprop`, `.part`, `.cold`. */
  readonly name: string;
  readonly kind: "function" | "data";
  /** A static variable of a function (`name.123`): others may have the same name. */
  readonly isNumbered: boolean;
  /** Where it is, without the variable's own name: `text`, `data` (`.bss` included), `rodata`, `.data..read_mostly`. */
  readonly place: string;
  readonly size: number;
  /** Bytes, with what the relocations refer to at their offsets. */
  readonly bytes: Uint8Array;
  readonly references: ReadonlyMap<number, string>;
  /** The suffixes of a function's part, such as `.constprop`; of gcc, numbers left out. */
  readonly part: string;
  /** Whether ftrace has an entry in it. */
  readonly isTraced: boolean;
}

/**
 * Divides an object into its named functions and variables. What the compiler and the kernel's macros number or count
 * (`x.12`, `.LC3`, `__UNIQUE_ID_…`, strings' places) is resolved into names and contents, so that two objects can be
 * compared piece by piece.
 */
export function readProgram(object: ElfObject): Piece[] {
  const symbols = symbolsBySection(object);
  const entries = ftraceEntries(object);
  const pieces: Piece[] = [];
  for (const [section, own] of symbols) {
    if ((section.flags & SectionFlag.ALLOC) === 0) continue;
    const isCode = (section.flags & SectionFlag.EXECINSTR) !== 0;
    for (const symbol of own) {
      // Names of places that assembly makes have another type, or no size.
      if (MODULE_ALIAS.test(symbol.name)) continue;
      if (symbol.type !== (isCode ? SymbolType.FUNCTION : SymbolType.OBJECT) || symbol.size === 0) continue;
      const { start, end } = { start: symbol.value, end: symbol.value + symbol.size };
      const { name, part } = isCode
        ? functionName(symbol.name)
        : { name: variableName(symbol.name), part: "" };
      pieces.push({
        name,
        part,
        kind: isCode ? "function" : "data",
        isNumbered: !isCode && /\.\d+$/.test(symbol.name),
        place: placeOf(section, isCode),
        size: symbol.size,
        bytes: section.data.subarray(start, end),
        references: new Map([
          ...section.relocations
            .filter(({ offset }) => offset >= start && offset < end)
            .map(
              (relocation) => [relocation.offset - start, words(section, relocation, symbols, 0)] as const,
            ),
          ...(isCode ? nearCalls(section, start, end, own) : []),
        ]),
        isTraced: isCode && (entries.get(section)?.some((at) => at >= start && at < end) ?? false),
      });
    }
  }
  return pieces;
}

/** Further names of functions, made by module_init() and module_exit() (include/linux/module.h). */
const MODULE_ALIAS = /^(init|cleanup)_module$/;

/** Bytes of the distances that the assembler filled in, by the first word of what they refer to. */
const DISTANCES: Readonly<Record<string, number>> = { near: 4, short: 1 };

/** Equal for pieces that are the same. */
export function contentOf({ bytes, references }: Pick<Piece, "bytes" | "references">): string {
  const plain = Buffer.from(bytes);
  for (const [at, word] of references) plain.fill(0, at, at + (DISTANCES[word.split(" ")[0] ?? ""] ?? 0));
  return `${plain.toString("hex")} ${[...references].map(([at, word]) => `${at}:${word}`).join(" ")}`;
}

type Symbols = ReadonlyMap<ElfSection, readonly ElfSymbol[]>;

function symbolsBySection(object: ElfObject): Symbols {
  const symbols = new Map<ElfSection, ElfSymbol[]>(object.sections.map((section) => [section, []]));
  for (const symbol of object.symbols)
    if (typeof symbol.section === "object" && symbol.type !== SymbolType.SECTION && symbol.name !== "")
      symbols.get(symbol.section)?.push(symbol);
  for (const list of symbols.values()) list.sort((a, b) => a.value - b.value || b.size - a.size);
  return symbols;
}

/** `__mcount_loc` (scripts/recordmcount, gcc -mrecord-mcount) and gcc's -fpatchable-function-entry. */
function ftraceEntries(object: ElfObject): ReadonlyMap<ElfSection, number[]> {
  const entries = new Map<ElfSection, number[]>();
  for (const section of object.sections) {
    if (!/^__mcount_loc$|^__patchable_function_entries$/.test(section.name)) continue;
    for (const { symbol, addend } of section.relocations) {
      if (typeof symbol.section !== "object") continue;
      const list = entries.get(symbol.section) ?? [];
      list.push(symbol.value + addend);
      entries.set(symbol.section, list);
    }
  }
  return entries;
}

function functionName(symbol: string): { name: string; part: string } {
  const [, name = symbol, suffixes = ""] =
    /^(.+?)((?:\.(?:isra|constprop|part|cold|\d+))+)$/.exec(symbol) ?? [];
  return { name, part: suffixes.replaceAll(/\.\d+/g, "") };
}

/** Also without the line and count that `__UNIQUE_ID` and `BTF_ID` put behind it (include/linux/compiler.h, btf_ids.h). */
const variableName = (symbol: string) =>
  symbol.replace(/\.\d+$/, "").replace(/^(__UNIQUE_ID_.*?|__BTF_ID__.*__)\d+$/, "$1");

function placeOf({ name }: ElfSection, isCode: boolean): string {
  if (isCode) return /^\.text(\.(?!\.)|$)/.test(name) ? "text" : name;
  if (/^\.(data|bss|rodata)\.\./.test(name)) return name;
  if (/^\.(rodata|data\.rel\.ro)(\.|$)/.test(name)) return "rodata";
  return /^\.(data|bss)(\.|$)/.test(name) ? "data" : name;
}

/** What a relocation refers to: a name and offset, a string, a constant's bytes. */
function words(from: ElfSection, relocation: ElfRelocation, symbols: Symbols, depth: number): string {
  const { symbol, addend, type } = relocation;
  const { section } = symbol;
  if (typeof section === "string") return `${type} ${variableName(symbol.name)}${offsetWords(addend)}`;
  const own = symbols.get(section) ?? [];
  // A field relative to the program counter counts from the end of its instruction, at least 4 bytes on.
  const bias = relativeTypes.has(type) && (from.flags & SectionFlag.EXECINSTR) !== 0 ? [4, 5, 6, 8] : [0];
  const places = bias.map((more) => symbol.value + addend + more);
  if (section.flags & SectionFlag.STRINGS)
    return `${type} ${JSON.stringify(textAt(section, places[0] ?? 0))}`;
  if (section.flags & SectionFlag.MERGE) {
    const at = places[0] ?? 0;
    return `${type} constant ${Buffer.from(section.data.subarray(at, at + section.entrySize)).toString("hex")}`;
  }
  const isStart = (place: number) => own.some(({ value }) => value === place);
  const place = symbol.type === SymbolType.SECTION ? (places.find(isStart) ?? places[0] ?? 0) : symbol.value;
  const meant = symbol.type === SymbolType.SECTION ? own.findLast(({ value }) => value <= place) : symbol;
  if (meant === undefined) return `${type} in ${section.name.replace(/\.\d+$/, "")}`;
  const offset = symbol.type === SymbolType.SECTION ? place - meant.value : addend;
  const { name, part } =
    section.flags & SectionFlag.EXECINSTR
      ? functionName(meant.name)
      : { name: variableName(meant.name), part: "" };
  if (!UNNAMED.test(meant.name) || depth > 4) return `${type} ${name}${part}${offsetWords(offset)}`;
  const { start, end } = { start: meant.value, end: meant.value + meant.size };
  const inner = section.relocations
    .filter((other) => other.offset >= start && other.offset < end)
    .map((other) => [other.offset - start, words(section, other, symbols, depth + 1)] as const);
  const content = contentOf({ bytes: section.data.subarray(start, end), references: new Map(inner) });
  return `${type} {${content}}${offsetWords(offset)}`;
}

/** R_X86_64_PC32, R_X86_64_PLT32. */
const relativeTypes: ReadonlySet<number> = new Set([2, 4]);

/** Data that the source gives no name: it is what it holds. */
const UNNAMED = /^(__compound_literal|C|\.LC\d+|CSWTCH)(\.\d+)?$/;

function offsetWords(offset: number): string {
  return offset === 0 ? "" : `${offset > 0 ? "+" : ""}${offset}`;
}

function textAt(section: ElfSection, at: number): string {
  const end = section.data.indexOf(0, at);
  return Buffer.from(section.data.subarray(at, end < 0 ? undefined : end)).toString("latin1");
}

/**
 * Calls and jumps to another function in the same section, which the assembler resolves by itself: the distance changes
 * when anything between them does. x86: E8, E9 and 0F 8x with 32 bits, EB and 7x with 8 (Intel SDM volume 2, CALL, JMP,
 * Jcc).
 */
function nearCalls(
  section: ElfSection,
  start: number,
  end: number,
  own: readonly ElfSymbol[],
): [number, string][] {
  const others = new Map(
    own.filter(({ value }) => value < start || value >= end).map(({ value, name }) => [value, name]),
  );
  if (others.size === 0) return [];
  const { data } = section;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const calls: [number, string][] = [];
  for (let at = start + 1; at < end; at++) {
    const opcode = data[at - 1] ?? 0;
    const isNear = opcode === 0xe8 || opcode === 0xe9 || (data[at - 2] === 0x0f && (opcode & 0xf0) === 0x80);
    const isShort = opcode === 0xeb || (opcode & 0xf0) === 0x70;
    const near = isNear && at + 4 <= end ? others.get(at + 4 + view.getInt32(at, true)) : undefined;
    const short = isShort ? others.get(at + 1 + view.getInt8(at)) : undefined;
    const name = near ?? short;
    if (name === undefined) continue;
    const called = functionName(name);
    calls.push([at - start, `${near === undefined ? "short" : "near"} ${called.name}${called.part}`]);
  }
  return calls;
}
