import { Machine, SectionFlag, SymbolBinding, SymbolType } from "../elf/format.js";
import type { ElfObject, ElfRelocation, ElfSection, ElfSymbol } from "../elf/object.js";
import type { ObjectArchitecture } from "../objdiff/architecture.js";
import { ELSEWHERE, type KernelCode, type Place } from "./kernel-code.js";
import {
  type AddressBits,
  bitsOf,
  inAddress,
  type RelocatedField,
  relocatedField,
} from "./relocated-field.js";

/** What the comparison of one function says. */
export type Match =
  | { readonly outcome: "matched" }
  | {
      readonly outcome: "mismatch";
      /** In words. */
      readonly reason: string;
      /** The symbol in which the first difference is: the function itself, or its part out of the way. */
      readonly part: CodeSymbol;
      /** Of the first difference, from the part's start. */
      readonly offset: number;
      /** Where the part is in the kernel. */
      readonly place: Place;
    }
  | { readonly outcome: "unknown"; readonly reason: string };

/** A translation unit compiled as the kernel was, and the code it is to be found in. */
export interface Unit {
  readonly pre: ElfObject;
  readonly architecture: ObjectArchitecture;
  readonly code: KernelCode;
  readonly anchors: ReadonlyMap<ElfSection, readonly Anchor[]>;
  /** Where what PRE.o refers to lies, sections of it and symbols from elsewhere: grows with what matched functions teach. */
  readonly bases: Map<ElfSection | string, Place>;
  readonly jumpLabels: ReadonlyMap<ElfSection, ReadonlySet<number>>;
}

/** Prepares a unit's functions to be matched. */
export function openUnit(pre: ElfObject, architecture: ObjectArchitecture, code: KernelCode): Unit {
  const anchors = anchorsOf(pre, code);
  return { pre, architecture, code, anchors, bases: basesOf(anchors), jumpLabels: jumpLabelsOf(pre) };
}

/**
 * Compares a function of PRE.o with the code in the kernel, byte for byte outside of relocated fields; those must lead
 * to what they name. Where that is follows from the symbol table; strings must read the same; what has no name of its own
 * must at least be at one place throughout the unit. What cannot be told makes the function unknown.
 *
 * What the kernel patches when it runs (alternatives, paravirtual calls, lock prefixes, static calls, return thunks) is
 * not yet patched in the file, and must be equal. Different may be: jump labels and calls of `__fentry__` that objtool
 * made no-operations (tools/objtool/check.c, `handle_jump_alt` and `create_mcount_loc_sections`), and what the linker
 * does against an erratum of Cortex-A53.
 * @param place of the function, by the symbol that is going to be redirected
 */
export function matchFunction(unit: Unit, name: string, place: Place): Match {
  const { pre, bases } = unit;
  const symbol = codeOf(pre, name);
  if (!symbol)
    return {
      outcome: "unknown",
      reason: "compiled without the section flags, the file has no such function",
    };
  const known = bases.get(symbol.section);
  if (known && symbol.binding === SymbolBinding.WEAK && !isSame(moved(known, symbol.value), place)) {
    const reason = "it is weak, and the kernel has another definition of it";
    return { outcome: "mismatch", reason, part: symbol, offset: 0, place };
  }
  // What it refers to in its own section is told by where it is itself.
  const assumed = new Map(bases).set(symbol.section, moved(place, -symbol.value));
  const match = matchWithCold({ ...unit, bases: assumed }, symbol, place);
  if (match.outcome !== "matched") return match;
  // Of several functions with one name, it must be the one among the others of its file.
  const isOnly = unit.code.symbols(name).length === 1;
  if (known && !isOnly && !isSame(moved(known, symbol.value), place))
    return {
      outcome: "unknown",
      reason: `of those with its name it is the one at ${unit.code.nameAt(place)}, but the other functions of its file have it at ${unit.code.nameAt(moved(known, symbol.value))}`,
    };
  for (const [what, base] of assumed) if (!bases.has(what)) bases.set(what, base);
  return match;
}

function matchWithCold(unit: Unit, symbol: CodeSymbol, place: Place): Match {
  const match = matchPart(unit, symbol, place);
  const cold = codeOf(unit.pre, `${symbol.name}.cold`);
  if (match.outcome !== "matched" || !cold) return match;
  const base = unit.bases.get(cold.section);
  const [listed, another] = unit.code.symbols(cold.name);
  const coldPlace = base ? moved(base, cold.value) : another ? undefined : listed?.place;
  if (!coldPlace) return { outcome: "unknown", reason: `it cannot be told where its part '${cold.name}' is` };
  return matchPart(unit, cold, coldPlace);
}

/** A function of PRE.o, or a part of one. */
export type CodeSymbol = ElfSymbol & { readonly section: ElfSection };

function codeOf({ symbols }: ElfObject, name: string): CodeSymbol | undefined {
  const isIt = (symbol: ElfSymbol): symbol is CodeSymbol =>
    symbol.name === name &&
    symbol.type === SymbolType.FUNCTION &&
    typeof symbol.section === "object" &&
    symbol.size > 0;
  return symbols.find(isIt);
}

function matchPart(unit: Unit, symbol: CodeSymbol, place: Place): Match {
  const { architecture, code } = unit;
  const compiled = symbol.section.data.subarray(symbol.value, symbol.value + symbol.size);
  const running = code.bytes(place, symbol.size);
  if (!running)
    return {
      outcome: "unknown",
      reason: `${code.name} does not hold the ${symbol.size} bytes at its address`,
    };
  const stretch: Stretch = { symbol, place, compiled, running };
  const rewritten = rewrittenSites(unit, stretch);
  const isRewritten = (at: number) => rewritten.some(({ start, end }) => at >= start && at < end);

  const ignored = new Uint8Array(symbol.size);
  for (const { start, end } of rewritten) ignored.fill(0xff, start, end);
  const found: { at: number; reason: string }[] = [];
  const references: Reference[] = [];
  for (const relocation of relocationsIn(symbol)) {
    const at = relocation.offset - symbol.value;
    const field = relocatedField(architecture.machine, relocation.type);
    if (field === null || isRewritten(at)) continue;
    if (field === undefined)
      return {
        outcome: "unknown",
        reason: `a relocation of type ${relocation.type} in it is not understood`,
      };
    ignore(ignored, at, field);
    const led = code.leadsTo(moved(place, at), field, relocation.type);
    const bias = architecture.bias(symbol.section, relocation);
    const reference = { ...relocation, at, bias, ...(led && led !== "unreadable" && { led }) };
    if (led) references.push(reference);
    else found.push({ at, reason: `it has no reference to ${meaning(unit, reference)}` });
  }
  const unclear: Reference[] = [];
  for (const reference of references) {
    const verdict = judge(unit, reference, references);
    if (verdict === "unclear") unclear.push(reference);
    else if (verdict) found.push({ at: reference.at, reason: verdict.wrong });
  }
  const fields = new Set(references.map(({ at }) => at));
  for (const { offset } of code.relocations(place, symbol.size)) {
    const at = offset - place.offset;
    if (!fields.has(at) && !isRewritten(at))
      found.push({ at, reason: `at ${distance(at)} it has a reference that the compiled one has not` });
  }
  const at = compiled.findIndex(
    (byte, index) => ((byte ^ (running[index] ?? 0)) & ~(ignored[index] ?? 0)) !== 0,
  );
  if (at >= 0)
    found.push({
      at,
      reason: `its byte at ${distance(at)} is ${hex(running[at])}, of the compiled one ${hex(compiled[at])}`,
    });
  const [first] = found.toSorted((a, b) => a.at - b.at);
  if (first) return { outcome: "mismatch", reason: first.reason, part: symbol, offset: first.at, place };
  const [open] = unclear;
  if (!open) return { outcome: "matched" };
  return {
    outcome: "unknown",
    reason: `where its reference to ${meaning(unit, open)} at ${distance(open.at)} leads cannot be told`,
  };
}

/** A piece of code, as compiled and as the kernel has it. */
interface Stretch {
  readonly symbol: CodeSymbol;
  readonly place: Place;
  readonly compiled: Uint8Array;
  readonly running: Uint8Array;
}

interface Reference extends ElfRelocation {
  /** From the start of the code it is in. */
  readonly at: number;
  /** To be added to the addend for what the code really means. */
  readonly bias: number;
  /** Where the kernel's code leads; absent when its file does not tell. */
  readonly led?: { readonly base: string; readonly bits: AddressBits };
}

function relocationsIn({ section, value, size }: CodeSymbol): ElfRelocation[] {
  return section.relocations.filter(({ offset }) => offset >= value && offset < value + size);
}

function ignore(ignored: Uint8Array, at: number, { size, mask }: RelocatedField): void {
  for (let index = 0; index < size; index++)
    ignored[at + index] = (ignored[at + index] ?? 0) | (mask >>> ((index % 4) * 8));
}

/** @returns undefined when a reference in the kernel's code leads to what the compiled one names */
function judge(
  unit: Unit,
  reference: Reference,
  all: readonly Reference[],
): { readonly wrong: string } | "unclear" | undefined {
  const { symbol, addend, led, bias } = reference;
  if (!led) return "unclear";
  const there = ledTo(reference, all);
  if (isConstant(symbol.section))
    return there ? judgeConstant(unit, reference, symbol.section, there) : "unclear";
  const places = placesOf(unit, reference);
  const isThere = (place: Place) =>
    place.base === led.base && bitsOf(place.offset + addend, led.bits).value === led.bits.value;
  const isNamed = places.length === 0 || places.some(isThere);
  // What lies in the file itself cannot be another's in the kernel.
  const isOwn = typeof symbol.section !== "object" || !led.base.startsWith(ELSEWHERE);
  if (isNamed && isOwn) {
    if (places.length === 0 && (!there || isMissing(unit, reference))) return "unclear";
    if (there) learn(unit, symbol, moved(there, -addend));
    return undefined;
  }
  const instead = there ? `to ${unit.code.nameAt(moved(there, bias))}` : "elsewhere";
  return { wrong: `a reference to ${meaning(unit, reference)} leads ${instead}` };
}

/**
 * Where it leads as a whole. An arm64 instruction holds the page or the place within it; the other half is in another
 * instruction with the same reference.
 */
function ledTo({ led, symbol, addend }: Reference, all: readonly Reference[]): Place | undefined {
  if (!led) return undefined;
  const { base, bits } = led;
  if (bits.from === 0 && bits.to === 48) return { base, offset: bits.value };
  const halves = all.filter((other) => other.symbol === symbol && other.addend === addend);
  const page = bits.to === 48 ? bits : halves.find((other) => other.led?.bits.to === 48)?.led?.bits;
  const low =
    bits.from < 12 ? bits : halves.find(({ led: other }) => other && other.bits.from < 12)?.led?.bits;
  if (!page || !low) return undefined;
  // Whatever is scaled is aligned.
  return { base, offset: page.value * 2 ** page.from + low.value * 2 ** low.from };
}

function isConstant(section: ElfSymbol["section"]): section is ElfSection {
  return typeof section === "object" && (section.flags & SectionFlag.MERGE) !== 0;
}

/** The linker merges constants with those of other files, so that what counts is what they say. */
function judgeConstant(
  { code }: Unit,
  reference: Reference,
  constants: ElfSection,
  there: Place,
): ReturnType<typeof judge> {
  const { bias } = reference;
  const start = reference.symbol.value + reference.addend + bias;
  const isText = (constants.flags & SectionFlag.STRINGS) !== 0;
  const end = isText ? constants.data.indexOf(0, Math.max(start, 0)) + 1 : start + constants.entrySize;
  const constant = start < 0 || end <= start ? undefined : constants.data.subarray(start, end);
  if (!constant) return "unclear";
  const actual = code.bytes(moved(there, bias), constant.length);
  if (actual && Buffer.compare(actual, constant) === 0) return undefined;
  const text = new TextDecoder("latin1").decode(constant.subarray(0, -1)).replaceAll(/[^ -~]/g, ".");
  return {
    wrong: `a reference to ${isText ? `the string "${text}"` : "a constant"} leads to something else`,
  };
}

/** Where the symbol that a reference names may be in the kernel: nowhere as long as nothing is known. */
function placesOf(unit: Unit, reference: Reference): Place[] {
  const { anchors, bases, code } = unit;
  const { name, section, value, binding } = reference.symbol;
  if (binding !== SymbolBinding.LOCAL) {
    const listed = code.symbols(name).filter(({ local }) => !local);
    if (listed.length > 0) return listed.map(({ place }) => place);
  }
  if (typeof section === "object") {
    const meant = value + reference.addend + reference.bias;
    const base = anchorAt(anchors.get(section) ?? [], meant)?.base ?? bases.get(section);
    if (base) return [moved(base, value)];
    const named = symbolAt(unit.pre, section, meant);
    return named ? code.symbols(named.name).map(({ place }) => moved(place, value - named.value)) : [];
  }
  const learned = bases.get(name) ?? code.elsewhere(name);
  return learned ? [learned] : [];
}

/** Whether it names something by a name that the kernel's table would list and does not. */
function isMissing({ pre, code }: Unit, { symbol, addend, bias }: Reference): boolean {
  const { section, value } = symbol;
  if (typeof section !== "object") return false;
  const named = symbolAt(pre, section, value + addend + bias);
  return named !== undefined && (code.listsVariables || named.type === SymbolType.FUNCTION);
}

/** The function or variable that an offset in a section of PRE.o lies in. */
function symbolAt({ symbols }: ElfObject, section: ElfSection, offset: number): ElfSymbol | undefined {
  return symbols.find(
    (symbol) =>
      symbol.section === section &&
      (symbol.type === SymbolType.FUNCTION || symbol.type === SymbolType.OBJECT) &&
      offset >= symbol.value &&
      offset < symbol.value + symbol.size,
  );
}

/** What is known already stays. */
function learn({ bases }: Unit, { name, section, value }: ElfSymbol, place: Place): void {
  const [what, base] = typeof section === "object" ? [section, moved(place, -value)] : [name, place];
  if (!bases.has(what)) bases.set(what, base);
}

/** A symbol of PRE.o whose name the kernel has once, so that it is known where it is. */
interface Anchor {
  /** Offsets in its section; `end` is exclusive. */
  readonly start: number;
  readonly end: number;
  /** Where the section would begin in the kernel, going by this symbol. */
  readonly base: Place;
}

/** By section, in the order of the section. Weak symbols say nothing: the kernel's may be another file's. */
function anchorsOf(pre: ElfObject, code: KernelCode): Map<ElfSection, Anchor[]> {
  const anchors = new Map<ElfSection, Anchor[]>();
  for (const { name, section, value, size, type, binding } of pre.symbols) {
    if (typeof section !== "object" || isConstant(section) || binding === SymbolBinding.WEAK) continue;
    if (type !== SymbolType.FUNCTION && type !== SymbolType.OBJECT) continue;
    const [only, another] = code.symbols(name);
    if (!only || another) continue;
    const known = anchors.get(section) ?? [];
    anchors.set(section, known);
    known.push({ start: value, end: value + size, base: moved(only.place, -value) });
  }
  for (const known of anchors.values()) known.sort((a, b) => a.start - b.start);
  return anchors;
}

/** The linker moves a file's section as a whole, so that its symbols agree; if not, most of them decide. */
function basesOf(anchors: ReadonlyMap<ElfSection, readonly Anchor[]>): Map<ElfSection | string, Place> {
  const bases = new Map<ElfSection | string, Place>();
  for (const [section, known] of anchors) {
    const votes = new Map<string, { base: Place; count: number }>();
    for (const { base } of known) {
      const key = `${base.base} ${base.offset}`;
      votes.set(key, { base, count: (votes.get(key)?.count ?? 0) + 1 });
    }
    const [first, second] = [...votes.values()].sort((a, b) => b.count - a.count);
    if (first && first.count > (second?.count ?? 0)) bases.set(section, first.base);
  }
  return bases;
}

/** @returns what is known of the symbol that an offset lies in */
function anchorAt(anchors: readonly Anchor[], offset: number): Anchor | undefined {
  let low = 0;
  let high = anchors.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((anchors[middle]?.start ?? 0) <= offset) low = middle + 1;
    else high = middle;
  }
  const nearest = anchors[low - 1];
  return nearest && offset < nearest.end ? nearest : undefined;
}

/** Where `__jump_table` says that a jump label is (struct jump_entry, include/linux/jump_label.h). */
function jumpLabelsOf({ sections }: ElfObject): Map<ElfSection, Set<number>> {
  const labels = new Map<ElfSection, Set<number>>();
  const tables = sections.filter(({ name }) => name === "__jump_table");
  for (const { symbol, addend } of tables.flatMap(({ relocations }) =>
    relocations.filter((_, index) => index % 3 === 0),
  )) {
    if (typeof symbol.section !== "object") continue;
    const known = labels.get(symbol.section) ?? new Set();
    labels.set(symbol.section, known.add(symbol.value + addend));
  }
  return labels;
}

interface Site {
  readonly start: number;
  readonly end: number;
}

/** Instructions that objtool or the linker may replace, and did. */
function rewrittenSites(unit: Unit, stretch: Stretch): Site[] {
  return unit.architecture.machine === Machine.AARCH64
    ? errataSites(unit, stretch)
    : noOperationSites(unit, stretch);
}

/** By length; arch/x86/include/asm/nops.h, which objtool takes them from. */
const NO_OPERATION: Readonly<Record<number, readonly number[]>> = {
  2: [0x66, 0x90],
  5: [0x0f, 0x1f, 0x44, 0x00, 0x00],
};
const [CALL, JUMP, SHORT_JUMP] = [0xe8, 0xe9, 0xeb];

function noOperationSites({ jumpLabels }: Unit, { symbol, compiled, running }: Stretch): Site[] {
  const labels = [...(jumpLabels.get(symbol.section) ?? [])]
    .map((offset) => offset - symbol.value)
    .filter((at) => compiled[at] === JUMP || compiled[at] === SHORT_JUMP);
  const entries = relocationsIn(symbol)
    .filter((relocation) => relocation.symbol.name === "__fentry__")
    .map(({ offset }) => offset - symbol.value - 1)
    .filter((at) => compiled[at] === CALL);
  return [...labels, ...entries]
    .map((start) => ({ start, end: start + (compiled[start] === SHORT_JUMP ? 2 : 5) }))
    .filter(({ start, end }) =>
      NO_OPERATION[end - start]?.every((byte, index) => running[start + index] === byte),
    );
}

/**
 * An access behind ADRP that the linker moved out of the way, into a veneer that ends with a branch back
 * (--fix-cortex-a53-843419; bfd/elfnn-aarch64.c of binutils, `_bfd_aarch64_erratum_843419_branch_to_stub`).
 */
function errataSites({ code, architecture }: Unit, { symbol, place, compiled, running }: Stretch): Site[] {
  const masks = new Map(
    relocationsIn(symbol).map(({ offset, type }) => [
      offset - symbol.value,
      relocatedField(architecture.machine, type)?.mask ?? 0,
    ]),
  );
  const sites: Site[] = [];
  for (let start = 0; start + 4 <= symbol.size; start += 4) {
    const [was, is] = [wordAt(compiled, start), wordAt(running, start)];
    if (was === is || isBranch(was) || !isBranch(is)) continue;
    const here = moved(place, start);
    const veneerPlace = moved(here, branchOffset(is));
    const veneer = code.bytes(veneerPlace, 8);
    if (!veneer || ((wordAt(veneer, 0) ^ was) & ~(masks.get(start) ?? 0)) !== 0) continue;
    const back = wordAt(veneer, 4);
    const leavesBehind = isBranch(back) && isSame(moved(veneerPlace, 4 + branchOffset(back)), moved(here, 4));
    if (leavesBehind) sites.push({ start, end: start + 4 });
  }
  return sites;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}

/** B (Arm ARM C6.2.26). */
function isBranch(word: number): boolean {
  return word >>> 26 === 0b000101;
}

function branchOffset(word: number): number {
  return ((word << 6) >> 6) * 4;
}

function moved({ base, offset }: Place, by: number): Place {
  return { base, offset: inAddress(offset + by) };
}

function isSame(one: Place, other: Place): boolean {
  return one.base === other.base && one.offset === other.offset;
}

/** What a reference names, for a person: the symbol in the section rather than the section. */
function meaning({ pre }: Unit, { symbol, addend, bias }: Reference): string {
  const meant = symbol.value + addend + bias;
  const { section, type } = symbol;
  const isSection = type === SymbolType.SECTION && typeof section === "object";
  const named = (isSection ? symbolAt(pre, section, meant) : undefined) ?? symbol;
  const rest = meant - named.value;
  return `'${named.name}'${rest === 0 ? "" : ` ${rest < 0 ? "-" : "+"} 0x${Math.abs(rest).toString(16)}`}`;
}

function distance(at: number): string {
  return `+0x${at.toString(16)}`;
}

function hex(byte: number | undefined): string {
  return `0x${(byte ?? 0).toString(16).padStart(2, "0")}`;
}
