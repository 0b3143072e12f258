import type { ElfRelocation, ElfSection, ElfSymbol } from "../elf/object.js";
import type { ObjectArchitecture } from "./architecture.js";
import type { Atom } from "./atoms.js";

/**
 * Tells the entries of a special section apart by their relocations.
 * @param isCode whether a place is in a section of code
 * @returns undefined when there is no number of relocations for which all entries look alike
 */
export function divideEntries(
  section: ElfSection,
  { special }: ObjectArchitecture,
  isCode: (place: ElfSymbol["section"]) => boolean,
): Atom[] | undefined {
  const { relocations, data } = section;
  const table = special[section.name];
  if (data.length === 0 || table === undefined) return [];
  for (const each of [table.relocations].flat()) {
    const starts = startsOfEntries(section, each, ({ symbol }) => isCode(symbol.section));
    if (starts === undefined) continue;
    const line = table.endsInLine ? lineBehind(relocations[each - 1]) : undefined;
    return starts.map((start, index) => {
      const end = starts[index + 1] ?? data.length;
      return {
        kind: "entry",
        section,
        start,
        end,
        used: end - start,
        entry: 0,
        ...(line !== undefined && { line }),
        symbols: [],
        name: "",
        references: [],
        entries: [],
      };
    });
  }
  return undefined;
}

/**
 * A source line stands behind a file's name, and only there. The name's place counts from its own field, or until 5.16
 * from the entry (`__BUG_REL`, arch/x86/include/asm/bug.h).
 */
function lineBehind(last: ElfRelocation | undefined): number | undefined {
  if (last === undefined || typeof last.symbol.section === "string") return undefined;
  const { data } = last.symbol.section;
  const isName = (start: number) => {
    if (start < 0 || (start > 0 && data[start - 1] !== 0)) return false;
    return /\.\w+$/.test(Buffer.from(data.subarray(start, data.indexOf(0, start))).toString("latin1"));
  };
  const place = last.symbol.value + last.addend;
  return isName(place) || isName(place - last.offset) ? last.offset + 4 : undefined;
}

function startsOfEntries(
  { relocations, data }: ElfSection,
  each: number,
  isToCode: (relocation: ElfRelocation) => boolean,
): number[] | undefined {
  if (relocations.length === 0 || relocations.length % each !== 0) return undefined;
  const starts: number[] = [];
  for (let at = 0; at < relocations.length; at += each) {
    const relocation = relocations[at];
    if (relocation === undefined || !isToCode(relocation)) return undefined;
    starts.push(relocation.offset);
  }
  const size = (starts[1] ?? data.length) - (starts[0] ?? 0);
  for (const [index, start] of starts.entries()) {
    // Only the last may lack the padding behind it (.parainstructions aligns the start of each entry).
    const end = starts[index + 1] ?? data.length;
    if (start !== index * size || end - start > size) return undefined;
    for (let number = 1; number < each; number++) {
      const place = (relocations[index * each + number]?.offset ?? 0) - start;
      if (place !== relocations[number]?.offset) return undefined;
    }
  }
  return starts;
}
