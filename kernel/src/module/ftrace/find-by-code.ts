import { readFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import { SectionFlag, SymbolType } from "../../elf/format.js";
import type { ElfObject, ElfSymbol } from "../../elf/object.js";
import { readElf } from "../../elf/read.js";
import { Fault } from "../../host/fault.js";
import type { Work } from "../../host/work.js";
import { parseConfig } from "../../profile/config.js";
import type { KernelProfile } from "../../profile/profile.js";
import { bootableForm } from "../../sandbox/kernel-image.js";
import type { KernelSymbols } from "../kernel-symbols.js";
import { type Resolution, resolveInObject, type UnitObject } from "../resolve.js";
import {
  type CodeSymbol,
  type FoundReader,
  readersOf,
  readPair,
  relocationsOf,
  wordAt,
} from "./code-readers.js";
import type { LateSymbol } from "./late-reference.js";

/** A unit with PRE.o: compiled as the kernel was. */
export interface UnitWithCode extends UnitObject {
  readonly pre: () => Promise<Uint8Array>;
}

/** Finds what a symbol table of the running kernel does not have, or gives back what was found. */
export type FindByCode = (
  unit: UnitWithCode,
  name: string,
  found: Resolution,
) => Promise<Resolution | LateSymbol>;

/**
 * Where the kernel's symbol table holds functions only (CONFIG_KALLSYMS_ALL is off), variables are found by the code
 * that uses them: of vmlinux by a function of the same file whose code in the image is what it compiles to, of a module
 * by the relocations that its file still has.
 */
export async function finderByCode(
  work: Work,
  profile: KernelProfile,
  symbols: KernelSymbols,
): Promise<FindByCode> {
  const config = parseConfig(await readFile(profile.config, "utf8"));
  if (config.get("CONFIG_KALLSYMS_ALL") === "y") return async (_unit, _name, found) => found;
  let image: Promise<Image> | undefined;
  return async (unit, name, found) => {
    if (found.kind === "export") return found;
    if (found.kind === "refused") {
      if (unit.object !== "vmlinux" || found.refusal.rule !== "unresolved-symbol") return found;
      image ??= readImage(work, profile, symbols);
      return (await inImage(symbols, await image, unit, name)) ?? refusal(unit, name, "vmlinux");
    }
    if (found.object === "vmlinux") return found;
    return (await inModule(symbols, found, name)) ?? refusal(unit, name, found.object);
  };
}

function refusal(unit: UnitObject, name: string, object: string): Resolution {
  return {
    kind: "refused",
    refusal: {
      rule: "unresolved-symbol",
      severity: "unsafe",
      symbol: name,
      file: unit.unit,
      message: `the patched code uses '${name}', which is not exported; this kernel's symbol table has no variables (CONFIG_KALLSYMS_ALL is off), and no function of ${object === "vmlinux" ? unit.unit : `module ${object}`} that is proven to be in the kernel leads to it`,
    },
  };
}

/** The code of vmlinux, without what is patched when it boots. */
interface Image {
  /** Words by address of 48 bits. */
  words(address: number, size: number): Uint8Array | undefined;
}

const ALIGNMENT = 2 * 1024 * 1024;

/** Documentation/arm64/booting.rst: the image is all of the kernel from a multiple of 2 MiB on. */
async function readImage(work: Work, profile: KernelProfile, symbols: KernelSymbols): Promise<Image> {
  const packed = await readFile(await bootableForm(work, profile.arch, profile.image));
  const bytes = packed[0] === 0x1f && packed[1] === 0x8b ? gunzipSync(packed) : packed;
  const [first] = (await symbols.table("vmlinux")).get("_stext") ?? [];
  if (first === undefined) throw new Fault("bad-input", `${profile.id}: no _stext in the symbol table`);
  const start = first.address - (first.address % ALIGNMENT);
  return {
    words: (address, size) =>
      address >= start && address + size <= start + bytes.length
        ? bytes.subarray(address - start, address - start + size)
        : undefined,
  };
}

async function inImage(
  symbols: KernelSymbols,
  image: Image,
  unit: UnitWithCode,
  name: string,
): Promise<LateSymbol | undefined> {
  const code = readElf(await unit.pre());
  const variable = code.symbols.find((symbol) => symbol.name === name && symbol.type !== SymbolType.SECTION);
  if (variable === undefined) return undefined;
  const proven: { late: LateSymbol; address: number }[] = [];
  for (const reader of readersOf(code, variable)) {
    const place = await resolveInObject(symbols, unit, reader.function);
    if (place.kind !== "livepatch") continue;
    const candidates = (await symbols.table("vmlinux")).get(reader.function) ?? [];
    const start = candidates[Math.max(place.sympos - 1, 0)]?.address;
    const address = start === undefined ? undefined : leadsTo(image, reader, start);
    if (address === undefined) continue;
    const { function: from, page, low, ahead } = reader;
    const late = {
      object: "vmlinux",
      name,
      sympos: place.sympos,
      reader: { function: from, page, low, ahead },
    };
    proven.push({ late, address: address - ahead });
  }
  const [first] = proven;
  return first && proven.every(({ address }) => address === first.address) ? first.late : undefined;
}

/** What the pair leads to in the image, if the function there is the one that was compiled. */
function leadsTo(image: Image, { symbol, page, low }: FoundReader, start: number): number | undefined {
  const running = image.words(start, symbol.size);
  return running && isSameCode(symbol, running)
    ? readPair(start + page, wordAt(running, page), wordAt(running, low))
    : undefined;
}

function isSameCode(symbol: CodeSymbol, running: Uint8Array): boolean {
  const relocated = new Set(relocationsOf(symbol).map(({ offset }) => offset - symbol.value));
  const compiled = symbol.section.data.subarray(symbol.value, symbol.value + symbol.size);
  for (let at = 0; at + 4 <= symbol.size; at += 4) {
    if (relocated.has(at) || wordAt(compiled, at) === wordAt(running, at)) continue;
    // An access that the linker moved away because of erratum 843419 (--fix-cortex-a53-843419).
    if (!isAccess(wordAt(compiled, at)) || !isBranch(wordAt(running, at))) return false;
  }
  return true;
}

function isAccess(word: number): boolean {
  return ((word >>> 25) & 0b0101) === 0b0100;
}

function isBranch(word: number): boolean {
  return word >>> 26 === 0b000101;
}

async function inModule(
  symbols: KernelSymbols,
  { object, sympos }: { readonly object: string; readonly sympos: number },
  name: string,
): Promise<LateSymbol | Resolution | undefined> {
  const module = await symbols.module(object);
  const variable = candidatesIn(module, name)[Math.max(sympos - 1, 0)];
  if (variable === undefined || typeof variable.section !== "object") return undefined;
  // Positions count functions only there: as long as there is one, it is the first.
  if ((variable.section.flags & SectionFlag.EXECINSTR) !== 0)
    return sympos === 0 ? { kind: "livepatch", object, sympos } : undefined;
  const reader = readersOf(module, variable).find(
    (candidate) => candidatesIn(module, candidate.function).length === 1,
  );
  if (reader === undefined) return undefined;
  const { function: from, page, low, ahead } = reader;
  return { object, name, sympos: 0, reader: { function: from, page, low, ahead } };
}

/** In the order of the module's table in kernel-symbols.ts. */
function candidatesIn({ symbols }: ElfObject, name: string): ElfSymbol[] {
  return symbols.filter(
    (symbol) =>
      symbol.name === name &&
      symbol.type !== SymbolType.SECTION &&
      typeof symbol.section === "object" &&
      (symbol.section.flags & SectionFlag.ALLOC) !== 0 &&
      !symbol.section.name.startsWith(".init"),
  );
}
