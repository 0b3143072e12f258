import { SectionFlag, SymbolType } from "../../elf/format.js";
import {
  type ElfObject,
  type ElfSection,
  type ElfSymbol,
  newSection,
  sectionSymbol,
} from "../../elf/object.js";
import { alignUp } from "../../elf/write.js";
import { Fault } from "../../host/fault.js";
import { isPage, type LateReference } from "./late-reference.js";

const PAGE = 4096;

/**
 * Puts a unit's code into one section `.text`, so that no ADRP that is linked late stands in the last two words of a
 * page: on Cortex-A53, erratum 843419, it could lead elsewhere there. Of all other ADRPs the module loader takes care
 * (arch/arm64/kernel/module-plts.c).
 * @param carried changed in place
 * @param late references of this object; moved along
 */
export function layOutCode(carried: ElfObject, late: readonly LateReference[]): void {
  const pieces = carried.sections.filter(isCode);
  if (pieces.length === 0) return;
  const align = Math.max(...pieces.map((piece) => piece.align));
  const text = newSection(".text", SectionFlag.ALLOC | SectionFlag.EXECINSTR, align);
  const at = new Map<ElfSection, number>();
  let end = 0;
  for (const piece of pieces) {
    const pages = late.filter(({ section, type }) => section === piece && isPage(type));
    if (pages.length > 0) text.align = PAGE;
    const start = placeFor(piece, end, pages);
    at.set(piece, start);
    end = start + piece.data.length;
  }
  text.data = new Uint8Array(end);
  const symbol: ElfSymbol = { ...sectionSymbol(text), name: "" };
  for (const [piece, start] of at) {
    text.data.set(piece.data, start);
    text.relocations.push(
      ...piece.relocations.map((relocation) => ({ ...relocation, offset: relocation.offset + start })),
    );
  }
  carried.sections = [text, ...carried.sections.filter((section) => !at.has(section))];
  moveReferences(carried, at, symbol);
  for (const reference of late) {
    const start = at.get(reference.section);
    if (start === undefined) continue;
    reference.offset += start;
    reference.section = text;
  }
}

function isCode({ name, flags }: ElfSection): boolean {
  return (flags & SectionFlag.EXECINSTR) !== 0 && !name.startsWith(".init") && !name.startsWith(".exit");
}

function placeFor(piece: ElfSection, from: number, pages: readonly LateReference[]): number {
  const step = Math.max(piece.align, 4);
  const first = alignUp(from, step);
  for (let at = first; at < first + PAGE; at += step)
    if (pages.every(({ offset }) => (at + offset) % PAGE < PAGE - 8)) return at;
  throw new Fault("defect", `no place for ${piece.name} keeps clear of erratum 843419`);
}

/** Symbols and relocations that mean something in a piece mean the same in the new section. */
function moveReferences(
  carried: ElfObject,
  at: ReadonlyMap<ElfSection, number>,
  sectionSymbol: ElfSymbol,
): void {
  const startOf = ({ section }: ElfSymbol) => (typeof section === "object" ? at.get(section) : undefined);
  for (const section of carried.sections)
    section.relocations = section.relocations.map((relocation) => {
      const start = startOf(relocation.symbol);
      return start !== undefined && relocation.symbol.type === SymbolType.SECTION
        ? { ...relocation, symbol: sectionSymbol, addend: relocation.addend + start }
        : relocation;
    });
  const isPieces = (symbol: ElfSymbol) => symbol.type === SymbolType.SECTION && startOf(symbol) !== undefined;
  const kept = carried.symbols.filter((symbol) => !isPieces(symbol));
  for (const symbol of kept) {
    const start = startOf(symbol);
    if (start === undefined || typeof sectionSymbol.section !== "object") continue;
    symbol.section = sectionSymbol.section;
    symbol.value += start;
  }
  carried.symbols = [sectionSymbol, ...kept];
}
