import { createHash } from "node:crypto";
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { Fault } from "../host/fault.js";
import { filter } from "../host/filter.js";
import type { Work } from "../host/work.js";
import type { Arch } from "../profile/profile.js";

/**
 * The form of a kernel image that QEMU starts, and starts soonest. A bzImage unpacks itself, which takes an emulated
 * processor longer than all the rest of the boot; the very kernel inside it is taken out here once and kept in the
 * cache. QEMU starts that directly where it has a PVH entry point (CONFIG_PVH). An arm64 kernel with CONFIG_EFI_ZBOOT
 * is unpacked likewise, for older QEMUs do not know it.
 * @returns path of what is to be given to `-kernel`; `image` itself when nothing is to be gained
 * @throws Fault `bad-input` for what is no kernel, as far as QEMU would not say so itself
 */
export async function bootableForm(work: Work, arch: Arch, image: string): Promise<string> {
  const bytes = await readFile(image);
  const { payloadOf, starts } = FORMS[arch];
  const payload = payloadOf(bytes);
  const unpacker = payload && UNPACKERS.find(({ magic }) => payload.subarray(0, magic.length).equals(magic));
  if (!payload || !unpacker) {
    if (arch === "arm64" && !starts(bytes) && !isGzip(bytes)) {
      throw new Fault("bad-input", `${image} is not a kernel image for arm64`);
    }
    return image;
  }
  const folder = join(work.cache, "unpacked-images");
  const kept = join(folder, createHash("sha256").update(bytes).digest("hex"));
  if (await exists(kept)) return kept;
  const unpacked = await unpacker.unpack(work, payload).catch((cause) => {
    if (cause instanceof Fault && cause.code !== "defect") throw cause;
    throw new Fault("bad-input", `${image} is damaged: it does not unpack`, { cause });
  });
  if (!starts(unpacked)) return image;
  await mkdir(folder, { recursive: true });
  const aside = `${kept}.${process.pid}`;
  await writeFile(aside, unpacked);
  await rename(aside, kept);
  return kept;
}

/** Where each architecture's images keep the packed kernel, and whether QEMU starts what was unpacked. */
const FORMS: Readonly<
  Record<Arch, { payloadOf(image: Buffer): Buffer | undefined; starts(kernel: Buffer): boolean }>
> = {
  x86_64: { payloadOf: bzImagePayload, starts: hasPvhEntry },
  arm64: { payloadOf: zbootPayload, starts: isArm64Image },
};

interface Unpacker {
  readonly magic: Buffer;
  unpack(work: Work, payload: Buffer): Promise<Buffer>;
}

const UNPACKERS: readonly Unpacker[] = [
  { magic: Buffer.from("1f8b", "hex"), unpack: async (_work, payload) => gunzipSync(payload) },
  {
    magic: Buffer.from("fd377a585a00", "hex"),
    unpack: (work, payload) => filter(work, ["xz", "-dc"], payload),
  },
  {
    magic: Buffer.from("28b52ffd", "hex"),
    unpack: (work, payload) => filter(work, ["zstd", "-dc"], payload),
  },
];

/** The packed kernel in a bzImage (Documentation/arch/x86/boot.rst, boot protocol 2.08 and later). */
function bzImagePayload(image: Buffer): Buffer | undefined {
  if (image.length < 0x250 || image.toString("latin1", 0x202, 0x206) !== "HdrS") return undefined;
  if (image.readUInt16LE(0x206) < 0x208) return undefined;
  const setupSectors = image.readUInt8(0x1f1) || 4;
  const start = (setupSectors + 1) * 512 + image.readUInt32LE(0x248);
  const end = start + image.readUInt32LE(0x24c);
  if (end > image.length) return undefined;
  const payload = image.subarray(start, end);
  // The unpacked size, 4 bytes, stands behind all but gzip (scripts/Makefile.lib, `size_append`).
  return isGzip(payload) ? payload : payload.subarray(0, -4);
}

/** The packed kernel in an EFI zboot image (drivers/firmware/efi/libstub/zboot-header.S). */
function zbootPayload(image: Buffer): Buffer | undefined {
  if (image.length < 64 || image.toString("latin1", 0, 8) !== "MZ\0\0zimg") return undefined;
  const start = image.readUInt32LE(8);
  const end = start + image.readUInt32LE(12);
  return end <= image.length ? image.subarray(start, end) : undefined;
}

/** Documentation/arm64/booting.rst: the magic number of an uncompressed Image. */
function isArm64Image(kernel: Buffer): boolean {
  return kernel.toString("latin1", 56, 60) === "ARM\x64";
}

function isGzip(bytes: Buffer): boolean {
  return bytes.toString("latin1", 0, 2) === "\x1f\x8b";
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
