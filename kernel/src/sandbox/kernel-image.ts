import { createHash } from "node:crypto";
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { Work } from "../host/work.js";
import type { Arch } from "../profile/profile.js";
import { filter } from "./filter.js";

/**
 * The form of a kernel image that starts soonest. A bzImage unpacks itself, which takes an emulated processor longer
 * than all the rest of the boot; the very kernel inside it is taken out here once and kept in the cache. QEMU starts
 * that directly where it has a PVH entry point (CONFIG_PVH).
 * @returns path of an ELF vmlinux, or `image` itself when nothing can be gained
 */
export async function bootableForm(work: Work, arch: Arch, image: string): Promise<string> {
  if (arch !== "x86_64") return image;
  const packed = await readFile(image);
  const payload = bzImagePayload(packed);
  const unpack = payload && UNPACKERS.find(({ magic }) => payload.subarray(0, magic.length).equals(magic));
  if (!payload || !unpack) return image;

  const folder = join(work.cache, "vmlinux");
  const kept = join(folder, createHash("sha256").update(packed).digest("hex"));
  if (await exists(kept)) return kept;
  const vmlinux = await unpack.unpack(work, payload);
  if (!hasPvhEntry(vmlinux)) return image;
  await mkdir(folder, { recursive: true });
  const aside = `${kept}.${process.pid}`;
  await writeFile(aside, vmlinux);
  await rename(aside, kept);
  return kept;
}

interface Unpacker {
  readonly magic: Buffer;
  unpack(work: Work, payload: Buffer): Promise<Buffer>;
}

/** The kernel build appends the unpacked size, 4 bytes, to all but gzip (scripts/Makefile.lib, `size_append`). */
const SIZE_BYTES = 4;

const UNPACKERS: readonly Unpacker[] = [
  { magic: Buffer.from("1f8b", "hex"), unpack: async (_work, payload) => gunzipSync(payload) },
  {
    magic: Buffer.from("fd377a585a00", "hex"),
    unpack: (work, payload) => filter(work, ["xz", "-dc"], payload.subarray(0, -SIZE_BYTES)),
  },
  {
    magic: Buffer.from("28b52ffd", "hex"),
    unpack: (work, payload) => filter(work, ["zstd", "-dc"], payload.subarray(0, -SIZE_BYTES)),
  },
];

/** The packed kernel in a bzImage (Documentation/arch/x86/boot.rst, boot protocol 2.08 and later). */
function bzImagePayload(image: Buffer): Buffer | undefined {
  if (image.length < 0x250 || image.toString("latin1", 0x202, 0x206) !== "HdrS") return undefined;
  if (image.readUInt16LE(0x206) < 0x208) return undefined;
  const setupSectors = image.readUInt8(0x1f1) || 4;
  const start = (setupSectors + 1) * 512 + image.readUInt32LE(0x248);
  const end = start + image.readUInt32LE(0x24c);
  return end <= image.length ? image.subarray(start, end) : undefined;
}

const PT_NOTE = 4;
/** include/xen/interface/elfnote.h */
const XEN_ELFNOTE_PHYS32_ENTRY = 18;

/** Whether QEMU can start this ELF image itself (QEMU: hw/i386/x86.c, `load_elfboot`). */
function hasPvhEntry(vmlinux: Buffer): boolean {
  if (vmlinux.toString("latin1", 0, 5) !== "\x7fELF\x02") return false;
  const table = Number(vmlinux.readBigUInt64LE(0x20));
  const size = vmlinux.readUInt16LE(0x36);
  const headers = Array.from({ length: vmlinux.readUInt16LE(0x38) }, (_, index) => table + index * size);
  return headers
    .filter((header) => vmlinux.readUInt32LE(header) === PT_NOTE)
    .map((header) => {
      const start = Number(vmlinux.readBigUInt64LE(header + 8));
      return vmlinux.subarray(start, start + Number(vmlinux.readBigUInt64LE(header + 32)));
    })
    .some((notes) => noteTypes(notes, "Xen\0").includes(XEN_ELFNOTE_PHYS32_ENTRY));
}

function noteTypes(notes: Buffer, owner: string): number[] {
  const types: number[] = [];
  for (let at = 0; at + 12 <= notes.length; ) {
    const nameSize = notes.readUInt32LE(at);
    const contentSize = notes.readUInt32LE(at + 4);
    if (notes.toString("latin1", at + 12, at + 12 + nameSize) === owner)
      types.push(notes.readUInt32LE(at + 8));
    at += 12 + ((nameSize + 3) & ~3) + ((contentSize + 3) & ~3);
  }
  return types;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
