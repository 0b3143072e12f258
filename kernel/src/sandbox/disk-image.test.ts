import { expect, test } from "vitest";
import { diskImage } from "./disk-image.js";

const work = { signal: new AbortController().signal, cache: "/nonexistent", progress: () => undefined };

test("a disk is an empty file system of its size and block size, the same each time", async () => {
  const disk = { type: "ext4", size: 8, options: ["-b", "1024"] } as const;
  const image = await diskImage(work, disk);
  expect(image.length).toBe(8 * 1024 * 1024);
  // fs/ext4/ext4.h, struct ext4_super_block at 1024: s_log_block_size at 24, s_magic at 56.
  expect(image.readUInt32LE(1024 + 24)).toBe(0);
  expect(image.readUInt16LE(1024 + 56)).toBe(0xef53);
  expect((await diskImage(work, disk)).equals(image)).toBe(true);
});

test("what mkfs refuses is bad input", async () => {
  await expect(diskImage(work, { type: "ext4", size: 8, options: ["-b", "77"] })).rejects.toThrow(
    expect.objectContaining({ code: "bad-input" }),
  );
});
