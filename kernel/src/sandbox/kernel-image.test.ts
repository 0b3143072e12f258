import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { filter } from "../host/filter.js";
import { bootableForm } from "./kernel-image.js";

const work = { signal: new AbortController().signal, cache: "", progress: () => undefined };
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "kernel-image-"));
  work.cache = join(folder, "cache");
});
afterAll(() => rm(folder, { recursive: true }));

async function formOf(arch: "x86_64" | "arm64", name: string, image: Buffer): Promise<Buffer | "itself"> {
  const path = join(folder, name);
  await writeFile(path, image);
  const form = await bootableForm(work, arch, path);
  return form === path ? "itself" : readFile(form);
}

/** An ELF file whose only program header holds one note of that type by Xen. */
function vmlinux(note: number): Buffer {
  const elf = Buffer.alloc(64 + 56 + 20);
  elf.write("\x7fELF\x02\x01\x01", "latin1");
  elf.writeBigUInt64LE(64n, 0x20); // e_phoff
  elf.writeUInt16LE(56, 0x36); // e_phentsize
  elf.writeUInt16LE(1, 0x38); // e_phnum
  elf.writeUInt32LE(4, 64); // p_type: PT_NOTE
  elf.writeBigUInt64LE(120n, 64 + 8); // p_offset
  elf.writeBigUInt64LE(20n, 64 + 32); // p_filesz
  elf.writeUInt32LE(4, 120); // n_namesz
  elf.writeUInt32LE(4, 124); // n_descsz
  elf.writeUInt32LE(note, 128);
  elf.write("Xen\0", 132, "latin1");
  return elf;
}

const PVH = vmlinux(18);
const ARM64 = Buffer.alloc(4096);
ARM64.write("ARM\x64", 56, "latin1");

function bzImage(payload: Buffer, tail: Buffer): Buffer {
  const header = Buffer.alloc(1024);
  header.writeUInt8(1, 0x1f1); // setup_sects
  header.write("HdrS", 0x202);
  header.writeUInt16LE(0x20f, 0x206);
  header.writeUInt32LE(0, 0x248); // payload_offset
  header.writeUInt32LE(payload.length + tail.length, 0x24c);
  return Buffer.concat([header, payload, tail, Buffer.from("more code")]);
}

function zboot(payload: Buffer): Buffer {
  const header = Buffer.alloc(512);
  header.write("MZ\0\0zimg", "latin1");
  header.writeUInt32LE(512, 8);
  header.writeUInt32LE(payload.length, 12);
  return Buffer.concat([header, payload, Buffer.from("more code")]);
}

const SIZE = Buffer.alloc(4, 1);
const xz = (bytes: Buffer) => filter(work, ["xz", "-c", "--check=crc32"], bytes);
const zstd = (bytes: Buffer) => filter(work, ["zstd", "-c", "-q"], bytes);

test("the kernel in a bzImage is taken out, however it is packed", async () => {
  expect(await formOf("x86_64", "gzip", bzImage(gzipSync(PVH), Buffer.alloc(0)))).toEqual(PVH);
  expect(await formOf("x86_64", "xz", bzImage(await xz(PVH), SIZE))).toEqual(PVH);
  expect(await formOf("x86_64", "zstd", bzImage(await zstd(PVH), SIZE))).toEqual(PVH);
});

test("the kernel in an EFI zboot image is taken out", async () => {
  expect(await formOf("arm64", "zboot-gzip", zboot(gzipSync(ARM64)))).toEqual(ARM64);
  expect(await formOf("arm64", "zboot-zstd", zboot(await zstd(ARM64)))).toEqual(ARM64);
});

test("what QEMU must take as it is stays", async () => {
  const without = vmlinux(17);
  expect(await formOf("x86_64", "no-pvh", bzImage(gzipSync(without), Buffer.alloc(0)))).toBe("itself");
  expect(await formOf("x86_64", "lzma", bzImage(Buffer.from("5d00008000", "hex"), SIZE))).toBe("itself");
  expect(await formOf("x86_64", "vmlinux", PVH)).toBe("itself");
  expect(await formOf("arm64", "Image", ARM64)).toBe("itself");
  expect(await formOf("arm64", "Image.gz", gzipSync(ARM64))).toBe("itself");
});

test("damaged images and no images are bad input", async () => {
  const bad = expect.objectContaining({ code: "bad-input" });
  const cut = gzipSync(PVH).subarray(0, 30);
  await expect(formOf("x86_64", "cut", bzImage(cut, Buffer.alloc(0)))).rejects.toThrow(bad);
  await expect(formOf("x86_64", "cut-xz", bzImage((await xz(PVH)).subarray(0, 40), SIZE))).rejects.toThrow(
    bad,
  );
  await expect(formOf("arm64", "text", Buffer.from("no kernel"))).rejects.toThrow(bad);
});
