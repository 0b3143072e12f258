import type { ElfObject, ElfSection, ElfSymbol } from "../../elf/object.js";
import type { Observation } from "../../observation.js";
import type { Export, KernelSymbols } from "../kernel-symbols.js";
import { EARLY_RULE, EARLY_TABLES, type LinkedUnit, leaveOutLate } from "../livepatch/relocations.js";
import { resolveReference, type UnitObject } from "../resolve.js";
import { layOutCode } from "./code-layout.js";
import type { FindByCode, UnitWithCode } from "./find-by-code.js";
import { APPLIED_LATE, type LateReference, type LateSymbol, R_AARCH64 } from "./late-reference.js";
import { veneersFor } from "./veneers.js";

/** A unit's code, ready to be joined, and what hotpatch_core links in it. */
export interface LateLinkedUnit extends LinkedUnit {
  readonly late: readonly LateReference[];
}

/**
 * Resolves a unit's undefined symbols. What is not exported is taken out of the relocations and linked by the core
 * when it is loaded: calls through veneers, all else in place.
 * @param carried diff.o; changed in place
 * @param defined names that other units of the same patch define
 */
export async function linkLate(
  symbols: KernelSymbols,
  unit: UnitWithCode,
  carried: ElfObject,
  defined: ReadonlySet<string>,
  findByCode: FindByCode,
): Promise<LateLinkedUnit> {
  const refusals: Observation[] = [];
  const exports = new Map<string, Export>();
  const lateSymbols = new Map<ElfSymbol, LateSymbol>();
  for (const symbol of carried.symbols) {
    const { name } = symbol;
    if (symbol.section !== "undefined" || name === "" || defined.has(name)) continue;
    const found = await findByCode(unit, name, await resolveReference(symbols, unit, name));
    if (!("kind" in found)) lateSymbols.set(symbol, found);
    else if (found.kind === "refused") refusals.push(found.refusal);
    else if (found.kind === "export") exports.set(name, found.entry);
    else lateSymbols.set(symbol, { object: found.object, name, sympos: found.sympos });
  }

  const remarks: Observation[] = [];
  const late: LateReference[] = [];
  const veneers = veneersFor(carried, unit.object);
  const isLate = (symbol: ElfSymbol) => lateSymbols.has(symbol);
  const nameOf = ({ name }: ElfSymbol) => name;
  for (const section of carried.sections) {
    const table = EARLY_TABLES[section.name];
    if (table) {
      const left = leaveOutLate(section, table, isLate, nameOf, unit);
      remarks.push(...left.filter(({ message }) => !remarks.some((other) => other.message === message)));
    }
    refusals.push(...tooEarly(section, lateSymbols, unit));
    section.relocations = section.relocations.flatMap((relocation) => {
      const symbol = lateSymbols.get(relocation.symbol);
      const { offset, type, addend } = relocation;
      if (symbol === undefined) return [relocation];
      if (type === R_AARCH64.CALL26 || type === R_AARCH64.JUMP26)
        return [{ ...relocation, symbol: veneers.to(symbol, addend), addend: 0 }];
      if (APPLIED_LATE.has(type) && offset % 4 === 0) {
        late.push({ section, offset, type, addend, symbol, object: unit.object });
        return [];
      }
      refusals.push({
        rule: "unresolved-symbol",
        severity: "unsafe",
        symbol: symbol.name,
        file: unit.unit,
        message: `the patched code refers to '${symbol.name}' in ${section.name} by a relocation of type ${type}, which cannot be linked on the running kernel`,
      });
      return [];
    });
  }
  carried.symbols = carried.symbols.filter((symbol) => !lateSymbols.has(symbol));
  late.push(...veneers.finish());
  layOutCode(carried, late);
  return { exports, refusals, remarks, late };
}

/** Tables that the module loader acts on before the core has linked anything. */
function tooEarly(
  section: ElfSection,
  lateSymbols: ReadonlyMap<ElfSymbol, LateSymbol>,
  unit: UnitObject,
): Observation[] {
  const rule = EARLY_RULE[section.name];
  if (rule === undefined) return [];
  const keys = new Set(section.relocations.flatMap(({ symbol }) => lateSymbols.get(symbol) ?? []));
  return [...keys].map(({ name }) => ({
    rule,
    symbol: name,
    file: unit.unit,
    message: `the patched code depends on '${name}' in ${section.name}, which the kernel reads before it is linked: the symbol is not exported`,
  }));
}
