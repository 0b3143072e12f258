import { SectionFlag, SymbolBinding, SymbolType } from "../../elf/format.js";
import type { ElfObject, ElfSection, ElfSymbol } from "../../elf/object.js";
import type { Observation } from "../../observation.js";
import type { Export, KernelSymbols } from "../kernel-symbols.js";
import { resolveReference, type UnitObject } from "../resolve.js";

/** A section whose entries the module loader acts on before a module that is loaded later can be linked to. */
interface EarlyTable {
  /** Relocations in an entry; the one that names the key. */
  readonly relocations: number;
  readonly key: number;
  /** Whether an entry may be left out when its key belongs to a module, and what that means. */
  readonly leaveOut: (key: string) => Pick<Observation, "rule" | "severity" | "message"> | undefined;
}

export const EARLY_TABLES: Readonly<Record<string, EarlyTable>> = {
  // Without its entry, a branch stays as it was compiled: for trace points and dynamic debug that is off.
  __jump_table: {
    relocations: 3,
    key: 2,
    leaveOut: (key) => silenced(/^(__tracepoint_|__UNIQUE_ID_|descriptor\.)/, key),
  },
  // Without its entry, a call goes through the trampoline, which always leads to the right place.
  ".static_call_sites": {
    relocations: 2,
    key: 1,
    leaveOut: (key) =>
      silenced(/^__SCK__tp_func_/, key) ?? {
        rule: "static-call",
        severity: "info",
        message: `calls of '${key}' go through its trampoline`,
      },
  },
};

/** Trace points have a key for their branch and one for their call; one remark is enough. */
function silenced(kind: RegExp, key: string): Pick<Observation, "rule" | "message"> | undefined {
  if (!kind.test(key)) return undefined;
  return {
    rule: "tracepoint-in-module",
    message: `'${key.replace(kind, "")}' goes silent in the patched code: trace point or debug message of a module`,
  };
}

/** Rules of entries that cannot be left out. */
export const EARLY_RULE: Readonly<Record<string, string>> = {
  __jump_table: "jump-label",
  ".altinstructions": "alternatives-in-module",
  ".parainstructions": "alternatives-in-module",
};

/** A unit's code, ready to be joined: every symbol of the running kernel under the name that the loader knows. */
export interface LinkedUnit {
  /** Exports used, by symbol name. */
  readonly exports: ReadonlyMap<string, Export>;
  readonly refusals: readonly Observation[];
  readonly remarks: readonly Observation[];
}

/**
 * Resolves a unit's undefined symbols and sets aside the relocations that livepatch applies itself: in tables
 * `.klp.rela.OBJECT.SECTION`, with symbols `.klp.sym.OBJECT.NAME,SYMPOS` (Documentation/livepatch/module-elf-format.rst).
 * @param carried diff.o after objtool; changed in place
 * @param defined names that other units of the same patch define
 */
export async function linkUnit(
  symbols: KernelSymbols,
  unit: UnitObject,
  carried: ElfObject,
  defined: ReadonlySet<string>,
): Promise<LinkedUnit> {
  const refusals: Observation[] = [];
  const remarks: Observation[] = [];
  const exports = new Map<string, Export>();
  const plainNames = new Map<ElfSymbol, string>();
  const owners = new Map<ElfSymbol, string>();
  for (const symbol of carried.symbols) {
    if (symbol.section !== "undefined" || symbol.name === "" || defined.has(symbol.name)) continue;
    plainNames.set(symbol, symbol.name);
    const resolution = await resolveReference(symbols, unit, symbol.name);
    if (resolution.kind === "refused") refusals.push(resolution.refusal);
    else if (resolution.kind === "export") exports.set(symbol.name, resolution.entry);
    else {
      owners.set(symbol, resolution.object);
      symbol.name = `.klp.sym.${resolution.object}.${symbol.name},${resolution.sympos}`;
      symbol.section = "livepatch";
      symbol.binding = SymbolBinding.GLOBAL;
      symbol.type = SymbolType.NONE;
    }
  }

  const isLate = (symbol: ElfSymbol) => (owners.get(symbol) ?? "vmlinux") !== "vmlinux";
  const nameOf = (symbol: ElfSymbol) => plainNames.get(symbol) ?? symbol.name;
  for (const section of carried.sections) {
    const table = EARLY_TABLES[section.name];
    if (table !== undefined) {
      const left = leaveOutLate(section, table, isLate, nameOf, unit);
      remarks.push(...left.filter(({ message }) => !remarks.some((other) => other.message === message)));
    }
    for (const { symbol } of section.relocations) {
      const rule = EARLY_RULE[section.name];
      if (rule !== undefined && isLate(symbol))
        refusals.push({
          rule,
          symbol: nameOf(symbol),
          file: unit.unit,
          message: `the patched code depends on '${nameOf(symbol)}' of module ${owners.get(symbol)} in ${section.name}, which the kernel reads before it can link that module`,
        });
    }
    setLivepatchRelocationsAside(section, owners, unit.object);
  }
  return { exports, refusals, remarks };
}

/** Takes out the entries whose key is not known when the module loader reads them. */
export function leaveOutLate(
  section: ElfSection,
  { relocations: each, key, leaveOut }: EarlyTable,
  isLate: (symbol: ElfSymbol) => boolean,
  nameOf: (symbol: ElfSymbol) => string,
  unit: UnitObject,
): Observation[] {
  const { relocations } = section;
  const size = section.data.length / (relocations.length / each);
  const kept: ElfSection["relocations"] = [];
  const pieces: Uint8Array[] = [];
  const left = new Map<string, Observation>();
  for (let at = 0; at < relocations.length; at += each) {
    const entry = relocations.slice(at, at + each);
    const symbol = entry[key]?.symbol;
    const reason = symbol && isLate(symbol) ? leaveOut(nameOf(symbol)) : undefined;
    if (symbol && reason) {
      left.set(reason.message, { ...reason, file: unit.unit });
      continue;
    }
    const from = (at / each) * size;
    const shift = pieces.length * size - from;
    pieces.push(section.data.subarray(from, from + size));
    kept.push(...entry.map((relocation) => ({ ...relocation, offset: relocation.offset + shift })));
  }
  section.relocations = kept;
  section.data = Buffer.concat(pieces);
  return [...left.values()];
}

function setLivepatchRelocationsAside(
  section: ElfSection,
  owners: ReadonlyMap<ElfSymbol, string>,
  object: string,
): void {
  const tables = new Map<string, ElfSection["relocations"]>();
  const own: ElfSection["relocations"] = [];
  for (const relocation of section.relocations) {
    const owner = owners.get(relocation.symbol);
    if (owner === undefined) {
      own.push(relocation);
      continue;
    }
    // What belongs to vmlinux can be linked at once, all else when the patched module is there.
    const table = `.klp.rela.${owner === "vmlinux" ? "vmlinux" : object}.${section.name}`;
    const list = tables.get(table);
    if (list === undefined) tables.set(table, [relocation]);
    else list.push(relocation);
  }
  section.relocations = own;
  for (const [name, relocations] of tables)
    section.otherRelocations.push({
      name,
      flags: SectionFlag.ALLOC | SectionFlag.INFO_LINK | SectionFlag.RELA_LIVEPATCH,
      relocations,
    });
}
