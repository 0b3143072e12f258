import { Machine } from "../elf/format.js";

/**
 * Some bits of an address: all that one field of an instruction can say of it. Addresses are numbers of 48 bits, as in
 * `KernelSymbol`; `value` is what stands from bit `from` up to bit `to`, exclusive.
 */
export interface AddressBits {
  readonly from: number;
  readonly to: number;
  readonly value: number;
}

/** Where and how an instruction or datum holds an address. */
export interface RelocatedField {
  /** Bytes. */
  readonly size: number;
  /** Which bits of each little-endian 32-bit word belong to it. */
  readonly mask: number;
  /**
   * What was written there, without its addend taken off: S + A in the words of the ABI.
   * @param place address of the field
   * @returns undefined when the image on disk does not tell
   */
  readonly read: (word: Word, place: number) => AddressBits | undefined;
}

/** The little-endian words that the field lies in. */
export interface Word {
  readonly low: number;
  readonly high: number;
}

const ADDRESS = 2 ** 48;
const ALL = 0xffff_ffff;

/** @returns the bits of an address that `like` speaks of */
export function bitsOf(address: number, { from, to }: Pick<AddressBits, "from" | "to">): AddressBits {
  return { from, to, value: Math.floor(inAddress(address) / 2 ** from) % 2 ** (to - from) };
}

/** A sum or difference of addresses, brought back among them. */
export function inAddress(value: number): number {
  return ((value % ADDRESS) + ADDRESS) % ADDRESS;
}

/** @returns the field that a relocation of this type fills; null for one that fills none; undefined when not known */
export function relocatedField(machine: number, type: number): RelocatedField | null | undefined {
  return FIELDS[machine]?.[type];
}

// System V ABI, AMD64 Architecture Processor Supplement, table 4.9.
const absolute64: RelocatedField = {
  size: 8,
  mask: ALL,
  read: ({ low, high }) => whole(low + (high & 0xffff) * 2 ** 32),
};
const absolute32: RelocatedField = { size: 4, mask: ALL, read: ({ low }) => whole(low) };
const extended32: RelocatedField = { size: 4, mask: ALL, read: ({ low }) => whole(signed(low, 0, 32)) };
const relative32: RelocatedField = {
  size: 4,
  mask: ALL,
  read: ({ low }, place) => whole(place + signed(low, 0, 32)),
};

// ELF for the Arm 64-bit Architecture, 5.7 (relocation types) and Arm ARM C4.1 (instruction encodings).
const branch = (at: number, bits: number): RelocatedField => ({
  size: 4,
  mask: fieldMask(at, bits),
  read: ({ low }, place) => whole(place + signed(low, at, bits) * 4),
});
const lowTwelve = (scale: number): RelocatedField => ({
  size: 4,
  mask: fieldMask(10, 12),
  // A scaled offset has no room for more than what it leaves of the twelve bits.
  read: ({ low }) => ({ from: scale, to: 12, value: unsigned(low, 10, 12) % 2 ** (12 - scale) }),
});
const wide = (group: number): RelocatedField => ({
  size: 4,
  mask: fieldMask(5, 16),
  read: ({ low }) =>
    group > 2 ? undefined : { from: group * 16, to: group * 16 + 16, value: unsigned(low, 5, 16) },
});
const ADR_MASK = (fieldMask(29, 2) | fieldMask(5, 19)) >>> 0;
const adrOffset = (word: number) => signed(word, 5, 19) * 4 + unsigned(word, 29, 2);
const page: RelocatedField = {
  size: 4,
  // The top bit, too: it tells ADRP from ADR, which the linker writes instead where it reaches as far
  // (--fix-cortex-a53-843419, CONFIG_ARM64_ERRATUM_843419).
  mask: (ADR_MASK | 0x8000_0000) >>> 0,
  read: ({ low }, place) => {
    const isPage = low >= 0x8000_0000;
    const target = isPage ? place - (place % 4096) + adrOffset(low) * 4096 : place + adrOffset(low);
    return bitsOf(target, { from: 12, to: 48 });
  },
};
const arm64Data = (size: number): RelocatedField => ({
  size,
  mask: ALL,
  // Of a relocatable kernel, the image on disk holds neither the address nor always the addend.
  read: () => undefined,
});

const FIELDS: Readonly<Record<number, Readonly<Record<number, RelocatedField | null>>>> = {
  [Machine.X86_64]: {
    0: null, // NONE
    1: absolute64, // 64
    2: relative32, // PC32
    4: relative32, // PLT32
    10: absolute32, // 32
    11: extended32, // 32S
  },
  [Machine.AARCH64]: {
    0: null, // NONE
    257: arm64Data(8), // ABS64
    258: arm64Data(4), // ABS32
    261: relative32, // PREL32
    263: wide(0), // MOVW_UABS_G0
    264: wide(0),
    265: wide(1),
    266: wide(1),
    267: wide(2),
    268: wide(2),
    269: wide(3),
    273: branch(5, 19), // LD_PREL_LO19
    274: { size: 4, mask: ADR_MASK, read: ({ low }, place) => whole(place + adrOffset(low)) }, // ADR_PREL_LO21
    275: page, // ADR_PREL_PG_HI21
    276: page,
    277: lowTwelve(0), // ADD_ABS_LO12_NC
    278: lowTwelve(0), // LDST8_ABS_LO12_NC
    279: branch(5, 14), // TSTBR14
    280: branch(5, 19), // CONDBR19
    282: branch(0, 26), // JUMP26
    283: branch(0, 26), // CALL26
    284: lowTwelve(1), // LDST16_ABS_LO12_NC
    285: lowTwelve(2),
    286: lowTwelve(3),
    299: lowTwelve(4), // LDST128_ABS_LO12_NC
  },
};

function whole(address: number): AddressBits {
  return { from: 0, to: 48, value: inAddress(address) };
}

function fieldMask(at: number, bits: number): number {
  return (2 ** bits - 1) * 2 ** at;
}

function unsigned(word: number, at: number, bits: number): number {
  return Math.floor(word / 2 ** at) % 2 ** bits;
}

function signed(word: number, at: number, bits: number): number {
  const value = unsigned(word, at, bits);
  return value >= 2 ** (bits - 1) ? value - 2 ** bits : value;
}
