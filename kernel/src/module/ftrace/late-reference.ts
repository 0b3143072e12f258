import type { ElfSection } from "../../elf/object.js";

/** A symbol of the running kernel that the module loader does not know (struct hotpatch_symbol, runtime/ftrace). */
export interface LateSymbol {
  /** `vmlinux` or a module's name. */
  readonly object: string;
  readonly name: string;
  /** Position among equal names, from 1; 0 when the name is unique. Of the reader where there is one. */
  readonly sympos: number;
  /** Code that leads to the symbol, for kernels whose symbol table has no data. */
  readonly reader?: CodeReader;
}

/** A pair of instructions in a function that leads to a place near a symbol. */
export interface CodeReader {
  readonly function: string;
  /** Offset of the ADRP from the function's start. */
  readonly page: number;
  /** Offset of the instruction with the lower 12 bits. */
  readonly low: number;
  /** How far behind the symbol the place is. */
  readonly ahead: number;
}

/** A place in carried code or data that takes such a symbol's address once it is known. */
export interface LateReference {
  section: ElfSection;
  offset: number;
  readonly type: number;
  readonly addend: number;
  readonly symbol: LateSymbol;
  /** The object that must be there first: the one that the unit is part of. */
  readonly object: string;
}

// ELF for the Arm 64-bit Architecture, 5.7.
export const R_AARCH64 = {
  ABS64: 257,
  PREL64: 260,
  PREL32: 261,
  ADR_PREL_PG_HI21: 275,
  ADR_PREL_PG_HI21_NC: 276,
  ADD_ABS_LO12_NC: 277,
  LDST8_ABS_LO12_NC: 278,
  JUMP26: 282,
  CALL26: 283,
  LDST16_ABS_LO12_NC: 284,
  LDST32_ABS_LO12_NC: 285,
  LDST64_ABS_LO12_NC: 286,
  LDST128_ABS_LO12_NC: 299,
} as const;

/** What runtime/ftrace/core/relocate.c can apply. */
export const APPLIED_LATE: ReadonlySet<number> = new Set(
  Object.values(R_AARCH64).filter((type) => type !== R_AARCH64.JUMP26 && type !== R_AARCH64.CALL26),
);

export function isPage(type: number): boolean {
  return type === R_AARCH64.ADR_PREL_PG_HI21 || type === R_AARCH64.ADR_PREL_PG_HI21_NC;
}
