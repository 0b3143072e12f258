import { Machine, SectionFlag } from "../elf/format.js";
import type { ElfRelocation, ElfSection } from "../elf/object.js";
import type { Arch } from "../profile/profile.js";
import { argumentAtArm64, relativeFieldsArm64 } from "./arm64-instructions.js";
import { argumentAtX86, relativeFieldsX86 } from "./x86-instructions.js";

/** How the entries of a section that describes code are told apart and what they are for. */
export interface SpecialSection {
  /**
   * Relocations in each entry; several numbers where kernels differ. The first stands at the entry's first byte and
   * points at the code described, so that entries need no size of their own: an entry reaches up to the next.
   */
  readonly relocations: number | readonly number[];
  /** The kernel's name for an entry. Where debug information knows its size, the entries must have that. */
  readonly structure?: string;
  /** The entry is where ftrace hooks the function: without it, the function cannot be redirected. */
  readonly ftraceEntry?: true;
  /** Behind the last relocation stands a 16-bit source line, which says nothing about the code. */
  readonly endsInLine?: true;
}

/** Part of an instruction that says by distance what it refers to. */
export interface RelativeField {
  /** Of the relocation that the assembler would have written. */
  readonly offset: number;
  readonly target: number;
  /** Of that relocation; undefined when the field is too small for any. */
  readonly type: number | undefined;
  /** To be added to the target's own. */
  readonly addend: number;
  /** The bytes at `offset` without the distance. */
  readonly cleared: Uint8Array;
}

/** What objects are for; those of the last two are only compared. */
export type ObjectArch = Arch | "ppc64le" | "s390x";

/** Everything about a processor that the object diff needs to know. */
export interface ObjectArchitecture {
  readonly arch: ObjectArch;
  readonly machine: number;
  readonly littleEndian: boolean;
  readonly special: Readonly<Record<string, SpecialSection>>;
  /** Sections of constants without names or anything else that says so; bytes of each constant. */
  readonly constants?: Readonly<Record<string, number>>;
  /** Relocation types that store an address, as opposed to jumping there. */
  readonly pointers: ReadonlySet<number>;
  /** Whether an instruction takes the address as its operand although the relocation's type could also be a jump's. */
  readonly isOperand?: (section: ElfSection, relocation: ElfRelocation) => boolean;
  /** Symbols that mark places for tools and name nothing (ELF for the Arm 64-bit Architecture, 5.5.5). */
  readonly isMarker: (name: string) => boolean;
  /** What a traced function calls first, where that is not told by a special section. */
  readonly tracer?: string;
  /**
   * @returns bytes to add to the addend for the offset that the code really refers to: instructions count from their
   *   end, relocations from their field
   */
  readonly bias: (section: ElfSection, relocation: ElfRelocation) => number;
  /**
   * Finds what code refers to by distance, so that functions can be taken out of a section that they share. Without
   * it, such functions are refused.
   * @returns undefined when the code cannot be read
   */
  readonly relativeFields?: (code: Uint8Array, start: number, end: number) => RelativeField[] | undefined;
  /**
   * Finds constants that the code puts into a register to pass them on.
   * @returns where the constant stands, which parameter it is (from 0) and its value; undefined when the byte at
   *   `offset` is in no such instruction
   */
  readonly argumentAt?: (
    code: Uint8Array,
    offset: number,
  ) =>
    | { readonly start: number; readonly end: number; readonly parameter: number; readonly value: number }
    | undefined;
}

/** Whether a relocation stores the address of what it refers to, or an instruction takes it. */
export function storesAddress(
  { pointers, isOperand }: ObjectArchitecture,
  section: ElfSection,
  relocation: ElfRelocation,
): boolean {
  if ((section.flags & SectionFlag.EXECINSTR) === 0) return true;
  return pointers.has(relocation.type) || (isOperand?.(section, relocation) ?? false);
}

// Written by macros in include/asm-generic/bug.h, include/linux/objtool.h and include/linux/annotate.h.
const ONE: SpecialSection = { relocations: 1 };
const OBJTOOL_ANNOTATIONS = {
  ".discard.annotate_insn": ONE,
  ".discard.func_stack_frame_non_standard": ONE,
  ".discard.ignore_alts": ONE,
  ".discard.instr_begin": ONE,
  ".discard.instr_end": ONE,
  ".discard.intra_function_calls": ONE,
  ".discard.noendbr": ONE,
  ".discard.reachable": ONE,
  ".discard.retpoline_safe": ONE,
  ".discard.unreachable": ONE,
  ".discard.unwind_hints": ONE,
  ".discard.validate_unret": ONE,
} as const;

// They begin alike on all architectures. What stands behind the place in the code differs between kernels: the text of
// a warning before the file's name, and neither without CONFIG_DEBUG_BUGVERBOSE; until 5.16 a handler of exceptions.
const CODE_TABLES = {
  __bug_table: { relocations: [1, 2, 3], structure: "bug_entry", endsInLine: true },
  __ex_table: { relocations: [2, 3], structure: "exception_table_entry" },
  __jump_table: { relocations: 3, structure: "jump_entry" },
  ".altinstructions": { relocations: 2, structure: "alt_instr" },
  // clang -fsanitize=kcfi: places that trap when a function of another type is called.
  ".kcfi_traps": ONE,
} as const;

const R_X86_64 = { ABS64: 1, PC32: 2, PLT32: 4, ABS32: 10, ABS32S: 11 } as const;
const R_AARCH64 = {
  ABS64: 257,
  ADR_PREL_LO21: 274,
  ADR_PREL_PG_HI21: 275,
  ADR_PREL_PG_HI21_NC: 276,
  ADD_ABS_LO12_NC: 277,
} as const;
// 64-bit ELF V2 ABI for Power, 3.5.3: addresses as words, in parts, and by the table of contents.
const R_PPC64 = {
  ADDR32: 1,
  ADDR16_LO: 4,
  ADDR16_HA: 6,
  ADDR64: 38,
  ADDR16_HIGHER: 39,
  ADDR16_HIGHEST: 41,
  TOC16: 47,
  TOC16_LO: 48,
  TOC16_HA: 50,
  ADDR16_LO_DS: 57,
  TOC16_DS: 63,
  TOC16_LO_DS: 64,
  PCREL34: 132,
} as const;
// s390x ELF Application Binary Interface Supplement, "Relocation Types"; `DBL` counts in halfwords.
const R_390 = { 32: 4, PC16DBL: 16, PLT16DBL: 17, PC32DBL: 19, PLT32DBL: 20, 64: 22, GOTENT: 26 } as const;
const IN_HALFWORDS: ReadonlySet<number> = new Set([
  R_390.PC16DBL,
  R_390.PLT16DBL,
  R_390.PC32DBL,
  R_390.PLT32DBL,
  R_390.GOTENT,
]);

const ARCHITECTURES: readonly ObjectArchitecture[] = [
  {
    arch: "x86_64",
    machine: Machine.X86_64,
    littleEndian: true,
    special: {
      ...OBJTOOL_ANNOTATIONS,
      ...CODE_TABLES,
      __mcount_loc: { relocations: 1, ftraceEntry: true },
      // Room before each function (CONFIG_CALL_PADDING), of which ftrace knows nothing.
      __patchable_function_entries: ONE,
      ".parainstructions": { relocations: 1, structure: "paravirt_patch_site" },
      ".smp_locks": ONE,
      // What objtool adds; found in objects that went through it.
      ".call_sites": ONE,
      ".cfi_sites": ONE,
      ".ibt_endbr_seal": ONE,
      ".retpoline_sites": ONE,
      ".return_sites": ONE,
      ".static_call_sites": { relocations: 2, structure: "static_call_site" },
      ".tail_call_sites": ONE,
    },
    pointers: new Set([R_X86_64.ABS64, R_X86_64.ABS32, R_X86_64.ABS32S]),
    isOperand: (section, relocation) => relocation.type === R_X86_64.PC32 && hasOperand(section, relocation),
    isMarker: () => false,
    tracer: "__fentry__",
    bias: biasX86,
    relativeFields: relativeFieldsX86,
    argumentAt: argumentAtX86,
  },
  {
    arch: "arm64",
    machine: Machine.AARCH64,
    littleEndian: true,
    special: {
      ...CODE_TABLES,
      __patchable_function_entries: { relocations: 1, ftraceEntry: true },
    },
    pointers: new Set(Object.values(R_AARCH64)),
    isMarker: (name) => name.startsWith("$"),
    tracer: "_mcount",
    bias: () => 0,
    relativeFields: relativeFieldsArm64,
    argumentAt: argumentAtArm64,
  },
  {
    arch: "ppc64le",
    machine: Machine.PPC64,
    littleEndian: true,
    special: {
      ...CODE_TABLES,
      // Made by recordmcount from calls of _mcount, and since 6.7 by the compiler.
      __mcount_loc: { relocations: 1, ftraceEntry: true },
      __patchable_function_entries: { relocations: 1, ftraceEntry: true },
      // arch/powerpc/include/asm/feature-fixups.h: distances of the instructions that are rewritten at boot.
      __barrier_nospec_fixup: ONE,
      __btb_flush_fixup: { relocations: 2 },
      __entry_flush_fixup: ONE,
      __lwsync_fixup: ONE,
      __rfi_flush_fixup: ONE,
      __scv_entry_flush_fixup: ONE,
      __stf_entry_barrier_fixup: ONE,
      __stf_exit_barrier_fixup: ONE,
      __uaccess_flush_fixup: ONE,
    },
    // Addresses and numbers too large for an instruction (64-bit ELF V2 ABI, 3.3).
    constants: { ".toc": 8 },
    pointers: new Set(Object.values(R_PPC64)),
    isMarker: () => false,
    tracer: "_mcount",
    bias: () => 0,
  },
  {
    arch: "s390x",
    machine: Machine.S390,
    littleEndian: false,
    special: {
      ...CODE_TABLES,
      __mcount_loc: { relocations: 1, ftraceEntry: true },
      // gcc -mindirect-branch-table, read by arch/s390/kernel/nospec-branch.c.
      ".s390_indirect_branches": ONE,
      ".s390_indirect_call": ONE,
      ".s390_indirect_jump": ONE,
      ".s390_return_mem": ONE,
      ".s390_return_reg": ONE,
    },
    pointers: new Set([R_390["32"], R_390["64"]]),
    // `larl`: z/Architecture Principles of Operation, format RIL-b; all others of these fields are jumps or data.
    isOperand: ({ data }, { offset, type }) =>
      IN_HALFWORDS.has(type) && data[offset - 2] === 0xc0 && ((data[offset - 1] ?? 0xf) & 0xf) === 0,
    isMarker: () => false,
    // Distances count from the instruction's start, and the field is two bytes behind it.
    bias: ({ flags }, { type }) => (flags & SectionFlag.EXECINSTR && IN_HALFWORDS.has(type) ? -2 : 0),
  },
];

/** @returns the architecture of an object, or undefined when it is none that we know */
export function architectureOf({
  machine,
  littleEndian,
}: Pick<ObjectArchitecture, "machine" | "littleEndian">): ObjectArchitecture | undefined {
  return ARCHITECTURES.find((known) => known.machine === machine && known.littleEndian === littleEndian);
}

/**
 * In x86 code, a 32-bit field relative to the program counter counts from the end of its instruction, which is the
 * field's own end, or lies behind an immediate operand (Intel SDM volume 2, 2.2.1.6 and appendix A).
 */
function biasX86(section: ElfSection, { type, offset }: ElfRelocation): number {
  if ((section.flags & SectionFlag.EXECINSTR) === 0) return 0;
  if (type !== R_X86_64.PC32 && type !== R_X86_64.PLT32) return 0;
  const byte = (back: number) => section.data[offset - back] ?? 0;
  if (!hasOperand(section, { offset })) return 4;
  return 4 + immediateSize(byte(1), byte(2), byte(3), byte(4));
}

/** ModRM: mod 0, rm 5 is the form of an operand at a distance. Anything else before the field is a jump or a call. */
function hasOperand({ data }: ElfSection, { offset }: Pick<ElfRelocation, "offset">): boolean {
  return ((data[offset - 1] ?? 0) & 0xc7) === 0x05;
}

/** Bytes of immediate operand of an instruction, given its ModRM byte and what stands before it. */
function immediateSize(modrm: number, opcode: number, before: number, earlier: number): number {
  const operandSize = before === 0x66 || earlier === 0x66 ? 2 : 4;
  const group = (modrm >> 3) & 7;
  if (before === 0x0f) {
    const byteOperand = [0x70, 0x71, 0x72, 0x73, 0xa4, 0xac, 0xba, 0xc2, 0xc4, 0xc5, 0xc6];
    return byteOperand.includes(opcode) ? 1 : 0;
  }
  switch (opcode) {
    case 0x80:
    case 0x83:
    case 0x6b:
    case 0xc0:
    case 0xc1:
    case 0xc6:
      return 1;
    case 0x81:
    case 0x69:
    case 0xc7:
      return operandSize;
    case 0xf6:
      return group < 2 ? 1 : 0;
    case 0xf7:
      return group < 2 ? operandSize : 0;
    default:
      return 0;
  }
}
