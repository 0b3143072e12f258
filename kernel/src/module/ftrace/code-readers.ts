import { SectionFlag, SymbolType } from "../../elf/format.js";
import type { ElfObject, ElfRelocation, ElfSection, ElfSymbol } from "../../elf/object.js";
import { type CodeReader, isPage, R_AARCH64 } from "./late-reference.js";

/** A reader, and the function that it reads, as compiled. */
export interface FoundReader extends CodeReader {
  readonly symbol: CodeSymbol;
}

export type CodeSymbol = ElfSymbol & { readonly section: ElfSection };

/**
 * Pairs of ADRP and an instruction with the lower bits that lead to a variable, or to a known distance from it: to
 * another place of its section.
 * @param code an object that still has its relocations
 * @param variable one of its symbols, defined in it or not
 */
export function readersOf(code: ElfObject, variable: ElfSymbol): FoundReader[] {
  const functions = code.symbols.filter(isFunction);
  return functions.flatMap((symbol) => {
    const inside = relocationsOf(symbol);
    return inside.flatMap((page) => {
      const ahead = distance(page, variable);
      if (ahead === undefined || !isPage(page.type)) return [];
      const low = inside.find((other) => isPair(symbol.section, page, other));
      if (low === undefined) return [];
      const from = symbol.value;
      return [{ symbol, function: symbol.name, page: page.offset - from, low: low.offset - from, ahead }];
    });
  });
}

/** Relocations within a function, by offset. */
export function relocationsOf({ section, value, size }: CodeSymbol): ElfRelocation[] {
  return section.relocations.filter(({ offset }) => offset >= value && offset < value + size);
}

/** What the pair leads to when it stands at these addresses; undefined when it is none (runtime/ftrace/core/relocate.c). */
export function readPair(pageAt: number, page: number, low: number): number | undefined {
  const pages = (((page >>> 5) & 0x7ffff) << 2) | ((page >>> 29) & 3);
  const distanceOf = ((pages << 11) >> 11) * 4096;
  const scale = scaleOf(low);
  if ((page & 0x9f000000) >>> 0 !== 0x90000000 || scale === undefined) return undefined;
  if ((page & 31) !== ((low >>> 5) & 31)) return undefined;
  return pageAt - (pageAt % 4096) + distanceOf + ((low >>> 10) & 0xfff) * 2 ** scale;
}

export function wordAt(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}

function isFunction(symbol: ElfSymbol): symbol is CodeSymbol {
  return (
    symbol.type === SymbolType.FUNCTION &&
    typeof symbol.section === "object" &&
    (symbol.section.flags & SectionFlag.EXECINSTR) !== 0 &&
    !/^\.(init|exit)/.test(symbol.section.name)
  );
}

/** How far behind the variable a relocation leads; undefined when that cannot be said. */
function distance({ symbol, addend }: ElfRelocation, variable: ElfSymbol): number | undefined {
  if (symbol === variable) return addend;
  if (typeof variable.section !== "object" || symbol.section !== variable.section) return undefined;
  // The assembler may not name parts of such sections by anything but their content.
  if (variable.section.name.startsWith(".rodata")) return undefined;
  return symbol.value + addend - variable.value;
}

const LOW: ReadonlySet<number> = new Set([
  R_AARCH64.ADD_ABS_LO12_NC,
  R_AARCH64.LDST8_ABS_LO12_NC,
  R_AARCH64.LDST16_ABS_LO12_NC,
  R_AARCH64.LDST32_ABS_LO12_NC,
  R_AARCH64.LDST64_ABS_LO12_NC,
  R_AARCH64.LDST128_ABS_LO12_NC,
]);

function isPair({ data }: ElfSection, page: ElfRelocation, low: ElfRelocation): boolean {
  return (
    LOW.has(low.type) &&
    low.symbol === page.symbol &&
    low.addend === page.addend &&
    readPair(0, wordAt(data, page.offset), wordAt(data, low.offset)) !== undefined
  );
}

/** Arm ARM C4.1: ADD (immediate) of 64 bits, loads and stores with unsigned immediate. */
function scaleOf(low: number): number | undefined {
  if ((low & 0xffc00000) >>> 0 === 0x91000000) return 0;
  const kind = (low & 0x3f000000) >>> 0;
  if (kind === 0x39000000) return low >>> 30;
  if (kind === 0x3d000000) return (low >>> 30) | ((low >>> 21) & 4);
  return undefined;
}
