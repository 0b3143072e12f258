import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { SectionFlag, SymbolBinding, SymbolType } from "../elf/format.js";
import type { ElfObject } from "../elf/object.js";
import { readElf } from "../elf/read.js";
import { Fault } from "../host/fault.js";
import type { Work } from "../host/work.js";
import { moduleName, readModuleFile } from "../profile/module-file.js";
import type { KernelProfile } from "../profile/profile.js";

/** An entry of Module.symvers (Documentation/kbuild/modules.rst, 6.3). */
export interface Export {
  /** `vmlinux` or a module's path without `.ko`. */
  readonly by: string;
  readonly crc: number;
  readonly namespace: string;
}

/** A defined symbol of vmlinux or a module. */
export interface KernelSymbol {
  readonly local: boolean;
  /** Grows with the address within `place`. */
  readonly address: number;
  /** Symbols of one place are laid out together. */
  readonly place: string;
}

/** Symbols by name, each list in the order in which the kernel counts equal names. */
export type SymbolTable = Pick<ReadonlyMap<string, readonly KernelSymbol[]>, "get" | "has">;

/** What a target kernel offers to be linked against. */
export interface KernelSymbols {
  readonly exports: ReadonlyMap<string, Export>;
  /** @throws Fault `defect` when the profile has no such module */
  table(object: string): Promise<SymbolTable>;
  /** @throws Fault `defect` when the profile has no such module */
  module(name: string): Promise<ElfObject>;
  /** Any module of the kernel's own, as the model for ours. */
  anyModule(): Promise<ElfObject>;
}

/** Reads the profile's symbol tables as they are asked for. */
export async function kernelSymbols(work: Work, profile: KernelProfile): Promise<KernelSymbols> {
  const [symvers, dependencies] = await Promise.all([
    readFile(profile.moduleSymvers, "utf8"),
    readFile(join(profile.modules, "modules.dep"), "utf8"),
  ]);
  const files = moduleFiles(dependencies);
  const modules = new Map<string, Promise<ElfObject>>();
  const tables = new Map<string, Promise<SymbolTable>>();
  const memo = <T>(kept: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> => {
    const known = kept.get(key) ?? make();
    kept.set(key, known);
    return known;
  };
  const module = (name: string) =>
    memo(modules, name, async () => {
      const file = files.get(name);
      if (file === undefined) throw new Fault("defect", `${profile.id} has no module '${name}'`);
      return readElf(await readModuleFile(work, join(profile.modules, file)));
    });
  return {
    exports: parseSymvers(symvers),
    module,
    table: (object) =>
      memo(tables, object, async () =>
        object === "vmlinux"
          ? parseKallsyms(await readFile(profile.symbolTable, "utf8"))
          : moduleTable(await module(object)),
      ),
    async anyModule() {
      // The smallest would do; the first costs no search.
      const [name] = files.keys();
      if (name === undefined) throw new Fault("defect", `${profile.id} has no modules`);
      return module(name);
    },
  };
}

/** `modules.dep`: the names under which modules are known when loaded, with their files. */
function moduleFiles(dependencies: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const line of dependencies.split("\n")) {
    const file = line.slice(0, Math.max(line.indexOf(":"), 0));
    if (file !== "") files.set(moduleName(file), file);
  }
  return files;
}

/** Reads a Module.symvers. */
export function parseSymvers(text: string): Map<string, Export> {
  const exports = new Map<string, Export>();
  for (const line of text.split("\n")) {
    const [crc, name, by, , namespace] = line.split("\t");
    if (crc && name && by) exports.set(name, { by, crc: Number(crc), namespace: namespace ?? "" });
  }
  return exports;
}

/**
 * `/proc/kallsyms` (kernel/kallsyms.c), lines `ADDRESS TYPE NAME`: in the order of `kallsyms_on_each_symbol`, which
 * livepatch counts in. Of some hundred thousand lines a patch needs a few, so that they are only found here, and read
 * when asked for.
 */
export function parseKallsyms(text: string): SymbolTable {
  const lines = new Map<string, number | number[]>();
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf("\n", start);
    const end = newline < 0 ? text.length : newline;
    const name = text.slice(start + NAME_AT, end);
    const known = lines.get(name);
    if (known === undefined) lines.set(name, start);
    else if (typeof known === "number") lines.set(name, [known, start]);
    else known.push(start);
    start = end + 1;
  }
  return {
    has: (name) => lines.has(name),
    get: (name) => {
      const found = lines.get(name);
      if (found === undefined) return undefined;
      return (typeof found === "number" ? [found] : found).map((start) => kallsymsEntry(text, start));
    },
  };
}

/** 16 digits and a letter, a space behind each. */
const NAME_AT = 19;

function kallsymsEntry(text: string, start: number): KernelSymbol {
  const type = text.charAt(start + 17);
  // The lower 48 bits, so that what counts stays exact in a number.
  const address = Number.parseInt(text.slice(start + 4, start + 16), 16);
  return { local: type === type.toLowerCase(), address, place: type.toLowerCase() };
}

/** A module's symbols as they are once it is loaded: without those of its init sections (kernel/module/kallsyms.c). */
function moduleTable(object: ElfObject): SymbolTable {
  const table = new Map<string, KernelSymbol[]>();
  for (const { name, section, type, binding, value } of object.symbols) {
    if (typeof section === "string" || name === "" || type === SymbolType.SECTION) continue;
    if ((section.flags & SectionFlag.ALLOC) === 0 || section.name.startsWith(".init")) continue;
    const symbol = { local: binding === SymbolBinding.LOCAL, address: value, place: section.name };
    const known = table.get(name);
    if (known === undefined) table.set(name, [symbol]);
    else known.push(symbol);
  }
  return table;
}
