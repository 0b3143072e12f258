import { expect, test } from "vitest";
import { Machine, SectionFlag, SectionType, SymbolBinding, SymbolType } from "../../elf/format.js";
import type { ElfObject, ElfRelocation, ElfSection, ElfSymbol } from "../../elf/object.js";
import { readElf } from "../../elf/read.js";
import { writeElf } from "../../elf/write.js";
import { joinObjects } from "../join.js";
import type { Export, KernelSymbol, KernelSymbols } from "../kernel-symbols.js";
import { readersOf, readPair } from "./code-readers.js";
import { R_AARCH64 } from "./late-reference.js";
import { linkLate } from "./link-unit.js";
import { ftraceTables } from "./tables.js";

const ADRP_X0 = 0x90000000;
const ADD_X0 = 0x91000000;
const LDR_W1_X0 = 0xb9400001;
const BL = 0x94000000;
const NOP = 0xd503201f;

test("calls of what is not exported go through one veneer, and only that is linked late", async () => {
  const { carried, linked } = await link([BL, BL, BL], (undefinedSymbol) => [
    relocation(0, R_AARCH64.CALL26, undefinedSymbol("hidden")),
    relocation(4, R_AARCH64.CALL26, undefinedSymbol("exported")),
    relocation(8, R_AARCH64.JUMP26, undefinedSymbol("hidden")),
  ]);
  const text = sectionOf(carried, ".text");
  expect(text.relocations.map(({ offset, symbol }) => [offset, symbol.name])).toEqual([
    [0, "hidden.veneer"],
    [4, "exported"],
    [8, "hidden.veneer"],
  ]);
  expect([...linked.exports.keys()]).toEqual(["exported"]);
  expect(linked.late.map(({ offset, type, symbol }) => [offset, type, symbol.name, symbol.sympos])).toEqual([
    [12, R_AARCH64.ADR_PREL_PG_HI21, "hidden", 2],
    [16, R_AARCH64.ADD_ABS_LO12_NC, "hidden", 2],
  ]);
  expect(words(text).slice(3)).toEqual([0x90000010, 0x91000210, 0xd61f0200]);
});

test("no ADRP that is linked late stands in the last two words of a page", async () => {
  const before = 4096 - 8;
  const { carried, linked } = await link([ADRP_X0, ADD_X0], pair, new Array(before / 4).fill(NOP));
  const text = sectionOf(carried, ".text");
  const [page, low] = linked.late;
  expect(text.align).toBe(4096);
  expect(page?.offset).toBe(4096);
  expect(low?.offset).toBe(4100);
  expect(words(text)[1024]).toBe(ADRP_X0);
  const changed = carried.symbols.find(({ name }) => name === "changed");
  expect([changed?.section, changed?.value]).toEqual([text, 4096]);
});

test("what the core cannot link is refused with the symbol's name", async () => {
  const { linked } = await link([ADRP_X0], (undefinedSymbol) => [
    relocation(0, 274, undefinedSymbol("hidden")),
  ]);
  expect(linked.refusals).toMatchObject([{ rule: "unresolved-symbol", symbol: "hidden" }]);
  expect(linked.late).toEqual([]);
});

test("the tables hold what the core reads, at the places where it reads it", async () => {
  const { carried, linked } = await link([ADRP_X0, ADD_X0], pair);
  const replacement = carried.symbols.find(({ name }) => name === "changed");
  if (!replacement) throw new Error("nothing is carried");
  const redirects = [{ object: "ext4", name: "changed", sympos: 3, replacement }];
  const states = [{ id: 0x4007, version: 3 }];
  const tables = ftraceTables(carried, { redirects, callbacks: [], states, replace: true }, linked.late);
  const object = readElf(writeElf(joinObjects([tables, carried])));
  const data = sectionOf(object, ".data.hotpatch");
  const strings = sectionOf(object, ".rodata.hotpatch").data;
  const targets = new Map(data.relocations.map((each) => [each.offset / 8, each]));
  const number = (word: number) =>
    Number(new DataView(data.data.buffer, data.data.byteOffset).getBigInt64(word * 8, true));
  const at = (word: number) => (targets.get(word)?.addend ?? Number.NaN) / 8;
  const textAt = (word: number) => {
    const start = targets.get(word)?.addend ?? 0;
    return new TextDecoder().decode(strings.subarray(start, strings.indexOf(0, start)));
  };
  // struct klp_patch
  expect(targets.get(0)?.symbol.name).toBe("__this_module");
  expect([number(2), number(4), number(6), number(7)]).toEqual([2, 1, 1, 1]);
  const [ext4, vmlinux] = [at(1), at(1) + 10];
  // struct klp_object
  expect(textAt(ext4)).toBe("ext4");
  expect(targets.has(vmlinux)).toBe(false);
  expect([number(ext4 + 2), number(ext4 + 4), number(vmlinux + 2), number(vmlinux + 4)]).toEqual([
    1, 0, 0, 2,
  ]);
  // struct klp_func
  expect([textAt(at(ext4 + 1)), number(at(ext4 + 1) + 2)]).toEqual(["changed", 3]);
  expect(targets.get(at(ext4 + 1) + 1)?.symbol.name).toBe("changed");
  // struct hotpatch_reloc
  const relocations = at(vmlinux + 3);
  expect([number(relocations + 1), number(relocations + 2), number(relocations + 3)]).toEqual([
    0,
    0,
    R_AARCH64.ADR_PREL_PG_HI21,
  ]);
  expect(targets.get(relocations + 4)?.addend).toBe(4);
  // struct hotpatch_symbol
  expect([textAt(at(3) + 1), number(at(3) + 2)]).toEqual(["hidden", 2]);
  // struct klp_state
  expect([number(at(5)), number(at(5) + 1)]).toEqual([0x4007, 3]);
});

test("a pair of instructions tells an address, whatever the access", () => {
  // Two pages on, then 0x123 bytes, or 0x23 words.
  expect(readPair(0x10ffc, 0xd0000000, 0x91048c01)).toBe(0x12123);
  expect(readPair(0x10ffc, 0xd0000000, 0xb9408c01)).toBe(0x1208c);
  // One page back.
  expect(readPair(0x10ffc, 0xf0ffffe0, 0x91000001)).toBe(0xf000);
  // Another register; no ADRP.
  expect(readPair(0x10ffc, 0xd0000000, 0x91048c21)).toBeUndefined();
  expect(readPair(0x10ffc, NOP, 0x91048c01)).toBeUndefined();
});

test("readers of a variable are also those of its neighbours in a section, with the distance", () => {
  const code = section(".text", SectionFlag.ALLOC | SectionFlag.EXECINSTR, [NOP, ADRP_X0, LDR_W1_X0]);
  const data = section(".bss", SectionFlag.ALLOC | SectionFlag.WRITE, [0, 0, 0, 0]);
  const anchor = symbol("", data, SymbolType.SECTION);
  const variable = { ...symbol("counter", data, SymbolType.OBJECT), value: 4 };
  code.relocations.push(
    relocation(4, R_AARCH64.ADR_PREL_PG_HI21, anchor, 12),
    relocation(8, R_AARCH64.LDST32_ABS_LO12_NC, anchor, 12),
  );
  const reader = { ...symbol("reader", code, SymbolType.FUNCTION), size: 12 };
  const object = { ...EMPTY, sections: [code, data], symbols: [anchor, variable, reader] };
  expect(readersOf(object, variable)).toMatchObject([{ function: "reader", page: 4, low: 8, ahead: 8 }]);
});

const EMPTY: ElfObject = {
  machine: Machine.AARCH64,
  littleEndian: true,
  osAbi: 0,
  flags: 0,
  sections: [],
  symbols: [],
};

const pair = (undefinedSymbol: (name: string) => ElfSymbol): ElfRelocation[] => [
  relocation(0, R_AARCH64.ADR_PREL_PG_HI21, undefinedSymbol("hidden")),
  relocation(4, R_AARCH64.ADD_ABS_LO12_NC, undefinedSymbol("hidden")),
];

/** Links a unit of one changed function, and of one before it. */
async function link(
  code: number[],
  relocations: (undefinedSymbol: (name: string) => ElfSymbol) => ElfRelocation[],
  before: number[] = [],
) {
  const undefinedSymbols = new Map<string, ElfSymbol>();
  const undefinedSymbol = (name: string): ElfSymbol => {
    const known =
      undefinedSymbols.get(name) ?? symbol(name, "undefined", SymbolType.NONE, SymbolBinding.GLOBAL);
    undefinedSymbols.set(name, known);
    return known;
  };
  const flags = SectionFlag.ALLOC | SectionFlag.EXECINSTR;
  const first = section(".text.first", flags, before);
  const changed = section(".text.changed", flags, code);
  changed.relocations.push(...relocations(undefinedSymbol));
  const carried: ElfObject = {
    ...EMPTY,
    sections: [first, changed],
    symbols: [
      symbol("changed", changed, SymbolType.FUNCTION),
      symbol("", changed, SymbolType.SECTION),
      ...undefinedSymbols.values(),
    ],
  };
  const unit = { unit: "fs/x.c", object: "vmlinux", orig: EMPTY, pre: async () => new Uint8Array() };
  const linked = await linkLate(KERNEL, unit, carried, new Set(), async (_unit, name, found) =>
    found.kind === "livepatch" ? { object: found.object, name, sympos: 2 } : found,
  );
  return { carried, linked };
}

const hidden: KernelSymbol = { local: false, address: 0x1000, place: "t" };
const KERNEL: KernelSymbols = {
  exports: new Map<string, Export>([["exported", { by: "vmlinux", crc: 1, namespace: "" }]]),
  table: async () => new Map([["hidden", [hidden]]]),
  module: async () => EMPTY,
  anyModule: async () => EMPTY,
};

function section(name: string, flags: number, code: number[]): ElfSection {
  const data = new Uint8Array(code.length * 4);
  for (const [index, word] of code.entries()) new DataView(data.buffer).setUint32(index * 4, word, true);
  return {
    name,
    type: SectionType.PROGBITS,
    flags,
    align: 4,
    entrySize: 0,
    data,
    relocations: [],
    otherRelocations: [],
  };
}

function symbol(
  name: string,
  place: ElfSymbol["section"],
  type: number,
  binding: number = SymbolBinding.LOCAL,
): ElfSymbol {
  return { name, binding, type, other: 0, section: place, value: 0, size: 0 };
}

function relocation(offset: number, type: number, target: ElfSymbol, addend = 0): ElfRelocation {
  return { offset, type, symbol: target, addend };
}

function sectionOf({ sections }: ElfObject, name: string): ElfSection {
  const found = sections.find((each) => each.name === name);
  if (!found) throw new Error(`no ${name}`);
  return found;
}

function words({ data }: ElfSection): number[] {
  const view = new DataView(data.buffer, data.byteOffset);
  return Array.from({ length: data.length / 4 }, (_, index) => view.getUint32(index * 4, true));
}
