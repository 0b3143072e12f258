import { SectionFlag, SymbolBinding, SymbolType } from "../../elf/format.js";
import {
  type ElfObject,
  type ElfSection,
  type ElfSymbol,
  newSection,
  sectionSymbol,
} from "../../elf/object.js";
import { CALLBACK_KINDS } from "../../objdiff/marks.js";
import type { PatchContents } from "../livepatch/tables.js";
import { type LateReference, type LateSymbol, R_AARCH64 } from "./late-reference.js";

/** What a word of a table holds: a number, the address of a text or of a place, or null. */
type Word = number | string | null | { readonly symbol: ElfSymbol; readonly addend: number };

/**
 * Writes `struct klp_patch hotpatch_patch` with all it refers to (runtime/ftrace/hotpatch_core.h), as the compiler
 * would have written the same in C.
 * @param late what the core links; of several units
 * @returns an object to be joined with the carried code and the entry
 */
export function ftraceTables(
  like: ElfObject,
  { redirects, callbacks, states, replace }: PatchContents,
  late: readonly LateReference[],
): ElfObject {
  const objects = [...new Set([...redirects, ...callbacks, ...late].map(({ object }) => object))].sort();
  const symbols = new Map(late.map(({ symbol }) => [keyOf(symbol), symbol] as const));
  const indices = new Map([...symbols.keys()].map((key, index) => [key, index]));
  const data = newSection(".data.hotpatch", SectionFlag.ALLOC | SectionFlag.WRITE, 8);
  const dataSymbol = sectionSymbol(data);
  const undefinedSections = new Map<ElfSection, ElfSymbol>();
  const placeOf = ({ section, offset }: LateReference): Word => {
    const symbol = undefinedSections.get(section) ?? sectionSymbol(section);
    undefinedSections.set(section, symbol);
    return { symbol, addend: offset };
  };
  const nullForVmlinux = (object: string) => (object === "vmlinux" ? null : object);

  const words: Word[] = [];
  /** Puts a table behind what is there. @returns its address */
  const table = (rows: readonly Word[][]): Word => {
    const at = words.length * WORD;
    words.push(...rows.flat());
    return rows.length > 0 ? { symbol: dataSymbol, addend: at } : null;
  };
  words.push(...new Array<Word>(PATCH_WORDS).fill(null));
  const objectRows = objects.map((object) => {
    const funcs = redirects
      .filter((other) => other.object === object)
      .map(({ name, replacement, sympos }) => [name, { symbol: replacement, addend: 0 }, sympos]);
    const relocations = late
      .filter((other) => other.object === object)
      .map((reference) => [
        placeOf(reference),
        indices.get(keyOf(reference.symbol)) ?? 0,
        reference.addend,
        reference.type,
      ]);
    const handlers = CALLBACK_KINDS.map((kind): Word => {
      const callback = callbacks.find((other) => other.object === object && other.kind === kind);
      return callback ? { symbol: callback.handler, addend: 0 } : null;
    });
    return [
      nullForVmlinux(object),
      table(funcs),
      funcs.length,
      table(relocations),
      relocations.length,
      ...handlers,
      null,
    ];
  });
  const symbolRows = [...symbols.values()].map(({ object, name, sympos, reader }): Word[] => [
    nullForVmlinux(object),
    name,
    sympos,
    reader?.function ?? null,
    reader?.page ?? 0,
    reader?.low ?? 0,
    reader?.ahead ?? 0,
  ]);
  const thisModule = globalSymbol("__this_module", "undefined", 0);
  const patchWords: Word[] = [
    { symbol: thisModule, addend: 0 },
    table(objectRows),
    objectRows.length,
    table(symbolRows),
    symbolRows.length,
    table(states.map(({ id, version }) => [id, version, null])),
    states.length,
    replace ? 1 : 0,
  ];
  words.splice(0, PATCH_WORDS, ...patchWords);

  const patch = globalSymbol("hotpatch_patch", data, PATCH_WORDS * WORD);
  const { section: strings, symbol: stringsSymbol } = writeWords(words, data);
  const { machine, littleEndian, osAbi, flags } = like;
  return {
    machine,
    littleEndian,
    osAbi,
    flags,
    sections: [data, strings],
    symbols: [dataSymbol, stringsSymbol, ...undefinedSections.values(), thisModule, patch],
  };
}

const WORD = 8;
const PATCH_WORDS = 8;

function keyOf({ object, name, sympos, reader }: LateSymbol): string {
  return JSON.stringify([object, name, sympos, reader ?? null]);
}

function writeWords(words: readonly Word[], into: ElfSection): { section: ElfSection; symbol: ElfSymbol } {
  const strings = newSection(".rodata.hotpatch", SectionFlag.ALLOC, 1);
  const symbol = sectionSymbol(strings);
  const known = new Map<string, number>();
  const texts: Uint8Array[] = [];
  let size = 0;
  into.data = new Uint8Array(words.length * WORD);
  const view = new DataView(into.data.buffer);
  for (const [index, word] of words.entries()) {
    const offset = index * WORD;
    if (typeof word === "number") view.setBigInt64(offset, BigInt(word), true);
    else if (typeof word === "string") {
      let at = known.get(word);
      if (at === undefined) {
        const text = new TextEncoder().encode(`${word}\0`);
        at = size;
        known.set(word, at);
        texts.push(text);
        size += text.length;
      }
      into.relocations.push({ offset, type: R_AARCH64.ABS64, symbol, addend: at });
    } else if (word !== null) into.relocations.push({ offset, type: R_AARCH64.ABS64, ...word });
  }
  strings.data = Buffer.concat(texts);
  return { section: strings, symbol };
}

function globalSymbol(name: string, section: ElfSymbol["section"], size: number): ElfSymbol {
  return {
    name,
    binding: SymbolBinding.GLOBAL,
    type: SymbolType.OBJECT,
    other: 0,
    section,
    value: 0,
    size,
  };
}
