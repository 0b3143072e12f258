import type { RelativeField } from "./architecture.js";

/**
 * Finds what the instructions of x86-64 code refer to relative to themselves (Intel SDM volume 2, chapter 2 and
 * appendix A): targets of jumps and calls, and operands relative to the instruction pointer.
 * @param start where to begin; an instruction must begin there
 * @param end offset behind the last instruction
 * @returns undefined when something is no instruction that compilers write
 */
export function relativeFieldsX86(code: Uint8Array, start: number, end: number): RelativeField[] | undefined {
  const fields: RelativeField[] = [];
  for (let at = start; at < end; ) {
    const instruction = decode(code, at);
    if (instruction === undefined || instruction.next > end) return undefined;
    const { next, field } = instruction;
    if (field) {
      const { offset, size } = field;
      const view = new DataView(code.buffer, code.byteOffset + offset, size);
      const distance = size === 1 ? view.getInt8(0) : view.getInt32(0, true);
      fields.push({
        offset,
        target: next + distance,
        type: size === 1 ? undefined : field.jumps ? R_X86_64_PLT32 : R_X86_64_PC32,
        addend: offset - next,
        cleared: new Uint8Array(size),
      });
    }
    at = next;
  }
  return fields;
}

/** `mov $imm32, %r32` by the register's number: di, si, d, c, 8, 9 are parameters (System V ABI, 3.2.3). */
const PARAMETERS = [7, 6, 2, 1, 8, 9];

/** @returns the constant that a `mov` to a parameter's register has at `offset`, see `ObjectArchitecture.argumentAt` */
export function argumentAtX86(
  code: Uint8Array,
  offset: number,
): { start: number; end: number; parameter: number; value: number } | undefined {
  for (let start = offset; start > offset - 4 && start > 0; start--) {
    const opcode = code[start - 1] ?? 0;
    if ((opcode & 0xf8) !== 0xb8 || start + 4 > code.length) continue;
    const extended = start > 1 && code[start - 2] === 0x41 ? 8 : 0;
    const parameter = PARAMETERS.indexOf((opcode & 7) + extended);
    if (parameter < 0) continue;
    const value = new DataView(code.buffer, code.byteOffset + start, 4).getUint32(0, true);
    return { start, end: start + 4, parameter, value };
  }
  return undefined;
}

const R_X86_64_PC32 = 2;
const R_X86_64_PLT32 = 4;

interface Instruction {
  /** Offset of the one behind it. */
  readonly next: number;
  /** The field that counts from `next`. */
  readonly field?: { readonly offset: number; readonly size: 1 | 4; readonly jumps: boolean };
}

const PREFIXES: ReadonlySet<number> = new Set([
  0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3,
]);

function decode(code: Uint8Array, start: number): Instruction | undefined {
  let at = start;
  let operandSize = 4;
  let wide = false;
  while (PREFIXES.has(code[at] ?? 0)) {
    if (code[at] === 0x66) operandSize = 2;
    at++;
  }
  if (((code[at] ?? 0) & 0xf0) === 0x40) {
    wide = ((code[at] ?? 0) & 8) !== 0;
    at++;
  }
  if (wide) operandSize = 4;
  const opcode = code[at++];
  if (opcode === undefined) return undefined;
  switch (opcode) {
    case 0x0f:
      return decodeTwoByte(code, at, operandSize);
    case 0xc5:
      return decodeVector(code, at + 1, 1);
    case 0xc4:
      return decodeVector(code, at + 2, (code[at] ?? 0) & 0x1f);
    case 0x62:
      return decodeVector(code, at + 3, (code[at] ?? 0) & 7);
  }
  if ((opcode & 0xf0) === 0x70 || (opcode >= 0xe0 && opcode <= 0xe3) || opcode === 0xeb)
    return { next: at + 1, field: { offset: at, size: 1, jumps: true } };
  if (opcode === 0xe8 || opcode === 0xe9)
    return { next: at + 4, field: { offset: at, size: 4, jumps: true } };
  const plain = PLAIN.get(opcode);
  if (plain !== undefined) return { next: at + (plain === Z ? operandSize : plain) };
  if ((opcode & 0xf8) === 0xb8) return { next: at + (wide ? 8 : operandSize) };
  if (opcode === 0xf6 || opcode === 0xf7) {
    const tests = (((code[at] ?? 0) >> 3) & 7) < 2;
    return withOperand(code, at, tests ? (opcode === 0xf6 ? 1 : operandSize) : 0);
  }
  const immediate = WITH_OPERAND.get(opcode);
  return immediate === undefined
    ? undefined
    : withOperand(code, at, immediate === Z ? operandSize : immediate);
}

/** An immediate operand of the instruction's operand size, which is never more than 32 bits. */
const Z = -1;

/** One-byte opcodes without a ModRM byte, and the bytes of their immediate operands. */
const PLAIN = new Map<number, number>([
  ...[0, 8, 0x10, 0x18, 0x20, 0x28, 0x30, 0x38].flatMap((row): [number, number][] => [
    [row + 4, 1],
    [row + 5, Z],
  ]),
  ...range(0x50, 0x5f, 0),
  [0x68, Z],
  [0x6a, 1],
  ...range(0x6c, 0x6f, 0),
  ...range(0x90, 0x99, 0),
  ...range(0x9b, 0x9f, 0),
  ...range(0xa0, 0xa3, 8),
  ...range(0xa4, 0xa7, 0),
  [0xa8, 1],
  [0xa9, Z],
  ...range(0xaa, 0xaf, 0),
  ...range(0xb0, 0xb7, 1),
  [0xc2, 2],
  [0xc3, 0],
  [0xc8, 3],
  [0xc9, 0],
  [0xca, 2],
  [0xcb, 0],
  [0xcc, 0],
  [0xcd, 1],
  [0xcf, 0],
  [0xd7, 0],
  ...range(0xe4, 0xe7, 1),
  ...range(0xec, 0xef, 0),
  [0xf1, 0],
  [0xf4, 0],
  [0xf5, 0],
  ...range(0xf8, 0xfd, 0),
]);

/** One-byte opcodes with a ModRM byte, and the bytes of their immediate operands. */
const WITH_OPERAND = new Map<number, number>([
  ...[0, 8, 0x10, 0x18, 0x20, 0x28, 0x30, 0x38].flatMap((row) => range(row, row + 3, 0)),
  [0x63, 0],
  [0x69, Z],
  [0x6b, 1],
  [0x80, 1],
  [0x81, Z],
  [0x83, 1],
  ...range(0x84, 0x8f, 0),
  [0xc0, 1],
  [0xc1, 1],
  [0xc6, 1],
  [0xc7, Z],
  ...range(0xd0, 0xd3, 0),
  ...range(0xd8, 0xdf, 0),
  [0xfe, 0],
  [0xff, 0],
]);

function range(first: number, last: number, bytes: number): [number, number][] {
  return Array.from({ length: last - first + 1 }, (_, index) => [first + index, bytes]);
}

/** Opcodes behind 0F without a ModRM byte. */
const PLAIN_TWO_BYTE: ReadonlySet<number> = new Set([
  0x05, 0x06, 0x07, 0x08, 0x09, 0x0b, 0x0e, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x37, 0x77, 0xa0, 0xa1, 0xa2,
  0xa8, 0xa9, 0xaa, 0xc8, 0xc9, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf,
]);
const TWO_BYTE_WITH_IMMEDIATE: ReadonlySet<number> = new Set([
  0x70, 0x71, 0x72, 0x73, 0xa4, 0xac, 0xba, 0xc2, 0xc4, 0xc5, 0xc6,
]);

function decodeTwoByte(code: Uint8Array, at: number, operandSize: number): Instruction | undefined {
  const opcode = code[at];
  if (opcode === undefined) return undefined;
  if (opcode === 0x38) return withOperand(code, at + 2, 0);
  if (opcode === 0x3a) return withOperand(code, at + 2, 1);
  if ((opcode & 0xf0) === 0x80)
    return operandSize === 2 ? undefined : { next: at + 5, field: { offset: at + 1, size: 4, jumps: true } };
  if (PLAIN_TWO_BYTE.has(opcode)) return { next: at + 1 };
  return withOperand(code, at + 1, TWO_BYTE_WITH_IMMEDIATE.has(opcode) ? 1 : 0);
}

/** Instructions with a VEX or EVEX prefix, by the opcode map that it names. */
function decodeVector(code: Uint8Array, at: number, map: number): Instruction | undefined {
  const opcode = code[at];
  if (opcode === undefined) return undefined;
  if (map === 1 && opcode === 0x77) return { next: at + 1 };
  const immediate = map === 3 || (map === 1 && TWO_BYTE_WITH_IMMEDIATE.has(opcode)) ? 1 : 0;
  return withOperand(code, at + 1, immediate);
}

/** A ModRM byte, what belongs to it, and an immediate operand. */
function withOperand(code: Uint8Array, at: number, immediate: number): Instruction | undefined {
  const modrm = code[at];
  if (modrm === undefined) return undefined;
  const [mode, base] = [modrm >> 6, modrm & 7];
  if (mode === 3) return { next: at + 1 + immediate };
  if (mode === 0 && base === 5)
    return { next: at + 5 + immediate, field: { offset: at + 1, size: 4, jumps: false } };
  let size = mode === 1 ? 1 : mode === 2 ? 4 : 0;
  if (base === 4) {
    if (mode === 0 && ((code[at + 1] ?? 0) & 7) === 5) size = 4;
    size++;
  }
  return { next: at + 1 + size + immediate };
}
