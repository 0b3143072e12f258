import { SymbolBinding, SymbolType } from "../elf/format.js";
import type { ElfObject, ElfSymbol } from "../elf/object.js";
import { withoutNumbers } from "../objdiff/correlate.js";
import type { Observation } from "../observation.js";
import { moduleName } from "../profile/module-file.js";
import type { Export, KernelSymbol, KernelSymbols, SymbolTable } from "./kernel-symbols.js";

/** How the loader finds a symbol of the running kernel. */
export type Resolution =
  | { readonly kind: "export"; readonly entry: Export }
  | { readonly kind: "livepatch"; readonly object: string; readonly sympos: number }
  | { readonly kind: "refused"; readonly refusal: Observation };

/** A compiled translation unit and the part of the kernel it belongs to. */
export interface UnitObject {
  /** Source file, relative to the tree. */
  readonly unit: string;
  /** `vmlinux` or the module's name. */
  readonly object: string;
  readonly orig: ElfObject;
}

/** Finds what patched code of a unit calls `name`. */
export async function resolveReference(
  symbols: KernelSymbols,
  unit: UnitObject,
  name: string,
): Promise<Resolution> {
  const { object, orig } = unit;
  const own = orig.symbols.find((symbol) => symbol.name === name && symbol.type !== SymbolType.SECTION);
  const isLocal = own !== undefined && own.binding === SymbolBinding.LOCAL && own.section !== "undefined";
  if (isLocal) return resolveInObject(symbols, unit, name);

  const exported = symbols.exports.get(name);
  if (exported?.by === "vmlinux" && !isForNamedModules(exported)) return { kind: "export", entry: exported };
  if ((await symbols.table(object)).has(name)) return resolveInObject(symbols, unit, name);
  if (exported !== undefined) {
    const module = moduleName(exported.by);
    // Loaded before the patched module, which depends on it: found when that is.
    if (object !== "vmlinux") return { kind: "livepatch", object: module, sympos: 0 };
  }
  if (object !== "vmlinux" && (await symbols.table("vmlinux")).has(name))
    return { kind: "livepatch", object: "vmlinux", sympos: 0 };
  return {
    kind: "refused",
    refusal: {
      rule: "unresolved-symbol",
      symbol: name,
      file: unit.unit,
      message: `the patched code uses '${name}', which neither ${object} nor the exports of this kernel provide`,
    },
  };
}

/** Exported to modules of certain names, which ours is not among (EXPORT_SYMBOL_FOR_MODULES, include/linux/export.h). */
function isForNamedModules({ namespace }: Export): boolean {
  return namespace.startsWith("module:");
}

/**
 * Finds a function or variable of the unit in vmlinux or the module it is part of, by position when several have its
 * name (`old_sympos` of struct klp_func, include/linux/livepatch.h; Documentation/livepatch/module-elf-format.rst).
 */
export async function resolveInObject(
  symbols: KernelSymbols,
  unit: UnitObject,
  name: string,
): Promise<Resolution> {
  const { object } = unit;
  const refuse = (message: string, rule = "duplicate-symbol"): Resolution => ({
    kind: "refused",
    refusal: { rule, severity: "unsafe", symbol: name, file: unit.unit, message },
  });
  const table = await symbols.table(object);
  const candidates = table.get(name) ?? [];
  if (candidates.length === 0)
    return refuse(`'${name}' is not in the symbol table of ${object}`, "unresolved-symbol");
  const fitting = amongNeighbours(unit.orig, table, name);
  if (candidates.length === 1) {
    // A number that the compiler made up may be another variable's there.
    if (withoutNumbers(name) === name || fitting === undefined || fitting.length === 1)
      return { kind: "livepatch", object, sympos: 0 };
    return refuse(`the '${name}' of ${object} is not the one of this file: it lies elsewhere`);
  }
  const [position, second] = fitting ?? [];
  if (position === undefined || second !== undefined)
    return refuse(
      `${object} has ${candidates.length} symbols called '${name}', and it cannot be told which is meant`,
    );
  return { kind: "livepatch", object, sympos: position + 1 };
}

/**
 * A unit's functions stay together and in order in the linked kernel, so that of several symbols of one name the unit's
 * own is the one between those that come before and after it. Its variables of one kind stay together as well, though
 * not in order: without -fdata-sections, the assembler puts uninitialised static ones behind the others.
 * @returns which of the candidates lie there, counted from 0; undefined when the unit has no neighbours to go by
 */
function amongNeighbours(orig: ElfObject, table: SymbolTable, name: string): number[] | undefined {
  const peers = peersOf(orig, name);
  const own = peers.findIndex((peer) => peer.name === name);
  const known = (peer: ElfSymbol): KernelSymbol[] => {
    const [only, another] = table.get(peer.name) ?? [];
    return only && !another && peer.name !== name ? [only] : [];
  };
  const before = peers.slice(0, Math.max(own, 0)).flatMap(known);
  const after = peers.slice(own + 1).flatMap(known);
  if (before.length === 0 && after.length === 0) return undefined;
  // Nothing of the unit is farther away than all of it together, with room for alignment.
  const reach = peers.reduce((sum, { size }) => sum + size + 64, 0);
  const isNear = (distance: number) => distance >= 0 && distance <= reach;
  const follows = (later: KernelSymbol, earlier: KernelSymbol) =>
    later.place === earlier.place && isNear(later.address - earlier.address);
  const fits = (candidate: KernelSymbol) =>
    peers[own]?.type === SymbolType.FUNCTION
      ? before.slice(-1).every((peer) => follows(candidate, peer)) &&
        after.slice(0, 1).every((peer) => follows(peer, candidate))
      : [...before, ...after].every((peer) => follows(candidate, peer) || follows(peer, candidate));
  return (table.get(name) ?? []).flatMap((candidate, index) => (fits(candidate) ? [index] : []));
}

/** The unit's symbols that go where the one of this name goes, in their order, itself included. */
function peersOf(orig: ElfObject, name: string): ElfSymbol[] {
  const order = new Map(orig.sections.map((section, index) => [section, index]));
  const wanted = orig.symbols.find((symbol) => symbol.name === name && typeof symbol.section === "object");
  const place = wanted && outputSection(wanted);
  const rank = ({ section }: ElfSymbol) => (typeof section === "object" ? (order.get(section) ?? 0) : 0);
  return orig.symbols
    .filter((symbol) => symbol.type === wanted?.type && outputSection(symbol) === place)
    .sort((a, b) => rank(a) - rank(b) || a.value - b.value);
}

/** The section of the linked kernel that a symbol goes to (include/asm-generic/vmlinux.lds.h). */
function outputSection({ section }: ElfSymbol): string | undefined {
  if (typeof section !== "object") return undefined;
  return /^(\.text\.unlikely|\.text\.hot|\.data\.\.[a-z_]+|\.[a-z]+\.text|\.[a-z]+)/.exec(section.name)?.[1];
}
