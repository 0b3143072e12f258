import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import { FileHeader, Ident, MAGIC, ProgramHeader, SegmentType } from "../elf/format.js";
import { Fault } from "../host/fault.js";
import type { Work } from "../host/work.js";
import type { KernelSymbol, SymbolTable } from "../module/kernel-symbols.js";
import type { KernelProfile } from "../profile/profile.js";
import { bootableForm } from "../sandbox/kernel-image.js";
import type { KernelCode, Place } from "./kernel-code.js";
import { inAddress } from "./relocated-field.js";

/** Bytes of the unpacked image that are loaded together. */
interface Segment {
  readonly address: number;
  readonly offset: number;
  readonly size: number;
}

/**
 * The code of vmlinux, out of the profile's image; only the bytes that are asked for are read.
 * @throws Fault `bad-input` when the image cannot be unpacked or is in no form that we know
 */
export async function linkedKernel(
  work: Work,
  profile: Pick<KernelProfile, "arch" | "image" | "symbolTable">,
  table: SymbolTable,
): Promise<KernelCode> {
  const code = await unpackedKernel(
    await bootableForm(work, profile.arch, profile.image),
    table,
    profile.symbolTable,
  );
  if (!code) throw new Fault("bad-input", `${profile.image} cannot be unpacked to the kernel that is linked`);
  return code;
}

/**
 * @param path of an ELF executable or an arm64 Image, also in gzip
 * @param kallsyms path of the file that `table` was made from
 * @returns undefined when it is neither
 */
export async function unpackedKernel(
  path: string,
  table: SymbolTable,
  kallsyms: string,
): Promise<KernelCode | undefined> {
  const read = await reader(path);
  const segments = segmentsOf(read, table);
  if (segments.length === 0) return undefined;
  const bytes = ({ offset: address }: Place, size: number) => {
    const segment = segments.find(
      (candidate) => address >= candidate.address && address + size <= candidate.address + candidate.size,
    );
    return segment && read(segment.offset + address - segment.address, size);
  };
  return {
    name: "the image",
    bytes,
    symbols: (name) => (table.get(name) ?? []).map(placed),
    // A variable that every kernel has (init/init_task.c).
    listsVariables: table.has("init_task"),
    elsewhere: () => undefined,
    leadsTo(place, field) {
      const held = bytes(place, field.size);
      if (!held) return undefined;
      const words = new DataView(held.buffer, held.byteOffset, held.length);
      const word = { low: words.getUint32(0, true), high: field.size > 4 ? words.getUint32(4, true) : 0 };
      const bits = field.read(word, place.offset);
      return bits ? { base: "", bits } : "unreadable";
    },
    relocations: () => [],
    nameAt: ({ offset }) => nearestSymbol(readFileSync(kallsyms, "latin1"), offset),
  };
}

type Read = (offset: number, size: number) => Uint8Array | undefined;

/** Of a kernel in gzip, as arm64 has them, all is unpacked; of a plain one nothing is read in advance. */
async function reader(path: string): Promise<Read> {
  const magic = readPiece(path, 0, 2);
  if (magic?.[0] !== 0x1f || magic[1] !== 0x8b) return (offset, size) => readPiece(path, offset, size);
  const whole = gunzipSync(await readFile(path));
  return (offset, size) =>
    offset + size <= whole.length ? whole.subarray(offset, offset + size) : undefined;
}

function readPiece(path: string, offset: number, size: number): Uint8Array | undefined {
  const file = openSync(path, "r");
  try {
    const piece = new Uint8Array(size);
    return readSync(file, piece, 0, size, offset) === size ? piece : undefined;
  } finally {
    closeSync(file);
  }
}

function segmentsOf(read: Read, table: SymbolTable): Segment[] {
  const start = read(0, 4096);
  if (!start) return [];
  const view = new DataView(start.buffer, start.byteOffset, start.length);
  if (MAGIC.every((byte, index) => start[index] === byte)) return loadedSegments(view, start);
  return view.getUint32(IMAGE_MAGIC_AT, true) === IMAGE_MAGIC ? imageSegment(view, table) : [];
}

function loadedSegments(view: DataView, start: Uint8Array): Segment[] {
  const little = start[Ident.DATA] === Ident.LITTLE;
  const { programHeaders, programHeaderCount } = FileHeader.read(view, Ident.SIZE, little);
  if (programHeaders + programHeaderCount * ProgramHeader.size > start.length) return [];
  return Array.from({ length: programHeaderCount }, (_, index) =>
    ProgramHeader.read(view, programHeaders + index * ProgramHeader.size, little),
  )
    .filter(({ type }) => type === SegmentType.LOAD)
    .map(({ address, offset, fileSize }) => ({ address: inAddress(address), offset, size: fileSize }));
}

// Documentation/arm64/booting.rst: header of an Image. `image_size` at 16, `magic` at 56.
const IMAGE_MAGIC_AT = 56;
const IMAGE_MAGIC = 0x644d5241;
const IMAGE_SIZE_AT = 16;
const IMAGE_ALIGN = 2 * 1024 * 1024;

/**
 * An Image is all of the kernel from `_text` on, which begins at a multiple of 2 MiB (booting.rst, and
 * arch/arm64/kernel/vmlinux.lds.S). The symbol table of a running kernel begins with `_stext`, a little behind it.
 */
function imageSegment(view: DataView, table: SymbolTable): Segment[] {
  const [first] = table.get("_text") ?? table.get("_stext") ?? [];
  if (!first) return [];
  const size = Number(view.getBigUint64(IMAGE_SIZE_AT, true));
  return [{ address: first.address - (first.address % IMAGE_ALIGN), offset: 0, size }];
}

function placed({ address, local }: KernelSymbol) {
  return { place: { base: "", offset: address }, local };
}

/** Only asked for where something is wrong, so that one walk over all lines is cheap enough. */
function nearestSymbol(kallsyms: string, address: number): string {
  let best = { name: "", distance: Number.POSITIVE_INFINITY };
  for (const line of kallsyms.split("\n")) {
    const distance = address - Number.parseInt(line.slice(4, 16), 16);
    if (distance >= 0 && distance < best.distance) best = { name: line.slice(19), distance };
  }
  return best.name === "" ? `0x${address.toString(16)}` : `${best.name}+0x${best.distance.toString(16)}`;
}
