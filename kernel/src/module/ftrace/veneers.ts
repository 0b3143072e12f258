import { SectionFlag, SymbolBinding, SymbolType } from "../../elf/format.js";
import { type ElfObject, type ElfSymbol, newSection } from "../../elf/object.js";
import { type LateReference, type LateSymbol, R_AARCH64 } from "./late-reference.js";

// Arm ARM C6.2: adrp x16, 0; add x16, x16, #0; br x16. IP0 is free at calls (AAPCS64, 6.1.1), as in the kernel's own
// veneers (arch/arm64/kernel/module-plts.c).
const VENEER = new Uint32Array([0x90000010, 0x91000210, 0xd61f0200]);
const VENEER_BYTES = VENEER.length * 4;

/** Code through which a unit calls what is too far away or not known when the module is loaded. */
export interface Veneers {
  /** @returns the symbol to call in the place of a late one */
  to(symbol: LateSymbol, addend: number): ElfSymbol;
  /** Adds the code to the object, if there is any, and what has to be linked late in it. */
  finish(): LateReference[];
}

/** @param object the object that the unit is part of */
export function veneersFor(carried: ElfObject, object: string): Veneers {
  const made = new Map<string, { symbol: ElfSymbol; to: LateSymbol; addend: number }>();
  const section = newSection(".text.hotpatch.veneers", SectionFlag.ALLOC | SectionFlag.EXECINSTR, 4);
  return {
    to(late, addend) {
      const key = `${late.object} ${late.name} ${late.sympos} ${addend}`;
      const known = made.get(key);
      if (known) return known.symbol;
      const symbol: ElfSymbol = {
        name: `${late.name}.veneer`,
        binding: SymbolBinding.LOCAL,
        type: SymbolType.FUNCTION,
        other: 0,
        section,
        value: made.size * VENEER_BYTES,
        size: VENEER_BYTES,
      };
      made.set(key, { symbol, to: late, addend });
      return symbol;
    },
    finish() {
      if (made.size === 0) return [];
      section.data = new Uint8Array(made.size * VENEER_BYTES);
      const view = new DataView(section.data.buffer);
      for (let at = 0; at < section.data.length; at += 4)
        view.setUint32(at, VENEER[(at / 4) % VENEER.length] ?? 0, true);
      carried.sections.push(section);
      carried.symbols.push(...[...made.values()].map(({ symbol }) => symbol));
      return [...made.values()].flatMap(({ symbol: { value }, to: symbol, addend }) =>
        [R_AARCH64.ADR_PREL_PG_HI21, R_AARCH64.ADD_ABS_LO12_NC].map((type, index) => ({
          section,
          offset: value + index * 4,
          type,
          addend,
          symbol,
          object,
        })),
      );
    },
  };
}
