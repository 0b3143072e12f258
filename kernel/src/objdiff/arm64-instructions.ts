import type { RelativeField } from "./architecture.js";

/** Instructions that refer to a place relative to themselves: Arm ARM, C4.1; relocations: ELF for AArch64, 5.7.8. */
const FORMS: readonly {
  readonly mask: number;
  readonly value: number;
  readonly type: number;
  /** The field's lowest bit, its width, and the bytes that a unit stands for. */
  readonly shift: number;
  readonly width: number;
  readonly unit: number;
}[] = [
  { mask: 0xfc000000, value: 0x94000000, type: 283, shift: 0, width: 26, unit: 4 }, // bl: CALL26
  { mask: 0xfc000000, value: 0x14000000, type: 282, shift: 0, width: 26, unit: 4 }, // b: JUMP26
  { mask: 0xff000000, value: 0x54000000, type: 280, shift: 5, width: 19, unit: 4 }, // b.cond: CONDBR19
  { mask: 0x7e000000, value: 0x34000000, type: 280, shift: 5, width: 19, unit: 4 }, // cbz, cbnz: CONDBR19
  { mask: 0x7e000000, value: 0x36000000, type: 279, shift: 5, width: 14, unit: 4 }, // tbz, tbnz: TSTBR14
  { mask: 0x3b000000, value: 0x18000000, type: 273, shift: 5, width: 19, unit: 4 }, // ldr literal: LD_PREL_LO19
];
const ADR = { mask: 0x9f000000, value: 0x10000000, type: 274, cleared: ~0x60ffffe0 } as const;

/** As `relativeFieldsX86`, for A64 code. Data among the code may look like instructions; it leads nowhere then. */
export function relativeFieldsArm64(code: Uint8Array, start: number, end: number): RelativeField[] {
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  const fields: RelativeField[] = [];
  for (let offset = start; offset + 4 <= end; offset += 4) {
    const word = view.getUint32(offset, true);
    const form = FORMS.find(({ mask, value }) => (word & mask) >>> 0 === value);
    if (form) {
      const { type, shift, width, unit } = form;
      const distance = ((word << (32 - shift - width)) >> (32 - width)) * unit;
      const cleared = word & ~(((1 << width) - 1) << shift);
      fields.push({ offset, target: offset + distance, type, addend: 0, cleared: wordBytes(cleared) });
    } else if ((word & ADR.mask) >>> 0 === ADR.value) {
      const distance = (((word << 8) >> 13) << 2) | ((word >> 29) & 3);
      fields.push({
        offset,
        target: offset + distance,
        type: ADR.type,
        addend: 0,
        cleared: wordBytes(word & ADR.cleared),
      });
    }
  }
  return fields;
}

function wordBytes(word: number): Uint8Array {
  return new Uint8Array([word, word >> 8, word >> 16, word >> 24]);
}

/** @returns the constant of `mov wN, #imm16`, N below 8, at `offset`, see `ObjectArchitecture.argumentAt` */
export function argumentAtArm64(
  code: Uint8Array,
  offset: number,
): { start: number; end: number; parameter: number; value: number } | undefined {
  const start = offset & ~3;
  if (start + 4 > code.length) return undefined;
  const word = new DataView(code.buffer, code.byteOffset + start, 4).getUint32(0, true);
  // movz with 32-bit register and no shift; parameters are in w0 to w7 (AAPCS64, 6.8.2).
  if ((word & 0xffe00018) >>> 0 !== 0x52800000) return undefined;
  return { start, end: start + 4, parameter: word & 7, value: (word >> 5) & 0xffff };
}
