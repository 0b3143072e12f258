import { SymbolType } from "../elf/format.js";
import type { ElfObject } from "../elf/object.js";
import type { AtomicObject } from "./atoms.js";

interface Side {
  readonly name: string;
  readonly atomic: AtomicObject;
  readonly producer: () => string | undefined;
}

/**
 * Whether two objects can come from one compiler, run with the same options. Otherwise every function of them may
 * differ, and none of that would be the patch's.
 * @param ask `producers`: also for the options in the debug information
 * @returns what speaks against it, in words for people
 * @throws Fault `bad-input` when the debug information is damaged
 */
export function incomparable(
  orig: Side,
  patched: Side,
  ask: { readonly producers: boolean },
): string | undefined {
  const [a, b] = [orig.name, patched.name];
  if (orig.atomic.architecture !== patched.atomic.architecture)
    return `${a} is for ${orig.atomic.architecture.arch}, ${b} for ${patched.atomic.architecture.arch}`;
  const [before, after] = [orig.atomic.object, patched.atomic.object];
  if (before.flags !== after.flags)
    return `${a} and ${b} follow different ABIs: their ELF flags are ${hex(before.flags)} and ${hex(after.flags)}`;
  if (before.osAbi !== after.osAbi)
    return `${a} and ${b} are for different systems: their OS ABIs are ${before.osAbi} and ${after.osAbi}`;
  const [compiler, other] = [compilersOf(before), compilersOf(after)];
  if (compiler !== other) return `${a} was compiled by ${compiler}, ${b} by ${other}`;
  for (const place of [".data", ".bss"]) {
    const [apart, apartToo] = [isDivided(before, place), isDivided(after, place)];
    if (apart !== undefined && apartToo !== undefined && apart !== apartToo)
      return `only ${apart ? a : b} was compiled with -fdata-sections`;
  }
  if (!ask.producers) return undefined;
  const [options, others] = [optionsOf(orig), optionsOf(patched)];
  return options && others && differenceOf(options, others, a, b);
}

/** What compilers write of themselves (`.ident`). */
function compilersOf({ sections }: ElfObject): string {
  const texts = sections
    .filter(({ name }) => name === ".comment")
    .flatMap(({ data }) => Buffer.from(data).toString("latin1").split("\0"));
  const names = [...new Set(texts)].filter((text) => text !== "").sort();
  return names.length === 0 ? "something that does not say so" : printable(names.join(" and "));
}

/** Whether variables have a section each; undefined when there are none or both kinds. */
function isDivided({ symbols }: ElfObject, place: string): boolean | undefined {
  const found = new Set<boolean>();
  for (const { type, section, size } of symbols) {
    if (type !== SymbolType.OBJECT || size === 0 || typeof section === "string") continue;
    if (section.name === place) found.add(false);
    // Two dots: a section that the source asked for, such as `.data..read_mostly`.
    else if (section.name.startsWith(`${place}.`) && section.name[place.length + 1] !== ".") found.add(true);
  }
  const [only] = found;
  return found.size === 1 ? only : undefined;
}

/** gcc writes there what it was run with, as far as it bears on the code (-grecord-gcc-switches). */
function optionsOf({ producer }: Side): ReadonlySet<string> | undefined {
  return producer() === undefined ? undefined : new Set(producer()?.split(/ (?=-)/));
}

function differenceOf(
  options: ReadonlySet<string>,
  others: ReadonlySet<string>,
  a: string,
  b: string,
): string | undefined {
  const only = printable([...options].filter((option) => !others.has(option)).join(" "));
  const onlyOther = printable([...others].filter((option) => !options.has(option)).join(" "));
  if (only === "" && onlyOther === "") return undefined;
  if (only === "") return `only ${b} was compiled with ${onlyOther}`;
  if (onlyOther === "") return `only ${a} was compiled with ${only}`;
  return `${a} was compiled with ${only}, ${b} with ${onlyOther}`;
}

/** The files are anybody's. */
function printable(text: string): string {
  const plain = text.replace(/[^\x20-\x7e]/g, "?");
  return plain.length > 80 ? `${plain.slice(0, 80)}...` : plain;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
