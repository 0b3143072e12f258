import { SymbolBinding, SymbolType } from "../elf/format.js";
import type { ElfObject } from "../elf/object.js";
import type { Observation } from "../observation.js";
import type { Export, KernelSymbols, SymbolTable } from "./kernel-symbols.js";

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
  if (exported?.by === "vmlinux") return { kind: "export", entry: exported };
  if ((await symbols.table(object)).has(name)) return resolveInObject(symbols, unit, name);
  if (exported !== undefined) {
    const module = exported.by.replace(/^.*\//, "").replaceAll("-", "_");
    // Loaded before the patched module, which depends on it: found when that is.
    if (object !== "vmlinux") return { kind: "livepatch", object: module, sympos: 0 };
  }
  if (object !== "vmlinux" && (await symbols.table("vmlinux")).has(name))
    return { kind: "livepatch", object: "vmlinux", sympos: 0 };
  return {
    kind: "refused",
    refusal: {
      rule: "unsupported-section",
      symbol: name,
      file: unit.unit,
      message: `the patched code uses '${name}', which neither ${object} nor the exports of this kernel provide`,
    },
  };
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
  const table = await symbols.table(object);
  const candidates = table.get(name) ?? [];
  if (candidates.length === 1) return { kind: "livepatch", object, sympos: 0 };
  const refuse = (message: string): Resolution => ({
    kind: "refused",
    refusal: { rule: "duplicate-symbol", severity: "unsafe", symbol: name, file: unit.unit, message },
  });
  if (candidates.length === 0) return refuse(`'${name}' is not in the symbol table of ${object}`);
  const positions = positionsBetweenNeighbours(unit.orig, table, name);
  const [position, second] = positions;
  if (position === undefined || second !== undefined)
    return refuse(
      `${object} has ${candidates.length} symbols called '${name}', and it cannot be told which is meant`,
    );
  return { kind: "livepatch", object, sympos: position + 1 };
}

/**
 * A unit's functions keep their order and stay together in the linked kernel, likewise its variables of one kind. So of
 * several symbols of one name, the unit's own is the one between those that come before and after it in the unit.
 * @returns which of the candidates lie there, counted from 0
 */
function positionsBetweenNeighbours(orig: ElfObject, table: SymbolTable, name: string): number[] {
  const candidates = table.get(name) ?? [];
  const wanted = orig.symbols.find((symbol) => symbol.name === name && typeof symbol.section === "object");
  if (wanted === undefined || typeof wanted.section !== "object") return [];
  const kind = outputSection(wanted.section.name);
  const order = new Map(orig.sections.map((section, index) => [section, index]));
  const peers = orig.symbols
    .filter(
      ({ section, type }) =>
        typeof section === "object" && type === wanted.type && outputSection(section.name) === kind,
    )
    .map((symbol) => ({
      ...symbol,
      order: typeof symbol.section === "object" ? (order.get(symbol.section) ?? 0) : 0,
    }))
    .sort((a, b) => a.order - b.order || a.value - b.value);
  const own = peers.findIndex((peer) => peer.name === name);
  const total = peers.reduce((sum, { size }) => sum + size + 64, 0);

  const anchor = (peer: { name: string } | undefined) => {
    const found = peer === undefined ? undefined : table.get(peer.name);
    return found?.length === 1 ? found[0] : undefined;
  };
  const before = peers
    .slice(0, own)
    .reverse()
    .map(anchor)
    .find((symbol) => symbol !== undefined);
  const after = peers
    .slice(own + 1)
    .map(anchor)
    .find((symbol) => symbol !== undefined);
  if (before === undefined && after === undefined) return [];
  return [...candidates.keys()].filter((index) => {
    const candidate = candidates[index];
    if (candidate === undefined) return false;
    const follows =
      before === undefined ||
      (candidate.address > before.address && candidate.address - before.address <= total);
    const precedes =
      after === undefined ||
      (candidate.address < after.address && after.address - candidate.address <= total);
    return (
      follows &&
      precedes &&
      [before, after].every(
        (peer) => peer === undefined || peer.place === candidate.place || isText(peer.place),
      )
    );
  });
}

/** kallsyms knows text as `t` and `T`, folded here; modules by section. */
function isText(place: string): boolean {
  return place === "t" || place.startsWith(".text");
}

/** The section of the linked kernel that a section of a unit goes to (include/asm-generic/vmlinux.lds.h). */
function outputSection(name: string): string {
  return /^(\.text\.unlikely|\.text\.hot|\.data\.\.[a-z_]+|\.[a-z]+\.text|\.[a-z]+)/.exec(name)?.[1] ?? name;
}
