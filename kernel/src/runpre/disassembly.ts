import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Machine } from "../elf/format.js";
import type { ElfSection, ElfSymbol } from "../elf/object.js";
import { runConfinedOk } from "../host/confined.js";
import type { Work } from "../host/work.js";

/** The instructions of one function as compiled and as the kernel has them, and where they first differ. */
export interface Disassemblies {
  readonly compiled: readonly string[];
  readonly running: readonly string[];
  /** Indices of the lines with the first difference. */
  readonly differs: { readonly compiled: number; readonly running: number };
}

/** objdump's names for machines in files without a header. */
const BARE_MACHINES: Readonly<Record<number, string>> = {
  [Machine.X86_64]: "i386:x86-64",
  [Machine.AARCH64]: "aarch64",
};

/**
 * Disassembles the two versions of a function, by objdump.
 * @param program objdump for the machine
 * @param offset of the first difference, from the function's start
 * @param outside folder for files on the way
 * @throws Fault as `runOk`
 */
export async function disassemble(
  work: Work,
  program: string,
  pre: {
    readonly bytes: Uint8Array;
    readonly machine: number;
    readonly symbol: ElfSymbol;
    readonly section: ElfSection;
  },
  running: { readonly bytes: Uint8Array; readonly address: number },
  offset: number,
  outside: string,
): Promise<Disassemblies> {
  const { symbol, section } = pre;
  const folder = await mkdtemp(join(outside, "run-pre-"));
  try {
    const [object, code] = [join(folder, "pre.o"), join(folder, "code")];
    await Promise.all([writeFile(object, pre.bytes), writeFile(code, running.bytes)]);
    const range = (start: number, size: number) => [
      `--start-address=0x${start.toString(16)}`,
      `--stop-address=0x${(start + size).toString(16)}`,
    ];
    const objdump = async (...args: string[]) =>
      instructions(
        await runConfinedOk(
          work,
          [program, "-w", ...args],
          { readable: [], writable: folder },
          { cwd: folder, deadline: 60 },
        ),
      );
    const [one, other] = await Promise.all([
      objdump("-d", "-r", "-j", section.name, ...range(symbol.value, symbol.size), object),
      objdump(
        "-D",
        "-b",
        "binary",
        "-m",
        BARE_MACHINES[pre.machine] ?? "",
        `--adjust-vma=0x${extended(running.address)}`,
        code,
      ),
    ]);
    return {
      compiled: one,
      running: other,
      differs: {
        compiled: lineAt(one, symbol.value + offset),
        running: lineAt(other, running.address + offset),
      },
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Of the 48 bits that our addresses have. */
const ADDRESS_DIGITS = 12;

/** In full, as a kernel's addresses are written. */
function extended(address: number): string {
  return BigInt.asUintN(64, BigInt.asIntN(48, BigInt(address))).toString(16);
}

const INSTRUCTION = /^\s*([0-9a-f]+):\t/;

/** objdump's own words are left out; instructions and relocations stay. */
function instructions(text: string): string[] {
  return text.split("\n").filter((line) => INSTRUCTION.test(line) || /^\s+[0-9a-f]+: R_/.test(line));
}

/** The last instruction that does not begin behind an address. */
function lineAt(lines: readonly string[], address: number): number {
  return lines.findLastIndex((line) => {
    const start = INSTRUCTION.exec(line)?.[1];
    return start !== undefined && Number.parseInt(start.slice(-ADDRESS_DIGITS), 16) <= address;
  });
}
