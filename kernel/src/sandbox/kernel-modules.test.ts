import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { filter } from "../host/filter.js";
import { modulesInOrder } from "./kernel-modules.js";

const work = { signal: new AbortController().signal, cache: "/nonexistent", progress: () => undefined };
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "kernel-modules-"));
  const content = (name: string) => Buffer.from(`code of ${name}`);
  const files: Record<string, string | Uint8Array> = {
    // As depmod writes them: what is to be loaded first comes last.
    "modules.dep": `kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko.xz kernel/lib/crc16.ko.zst kernel/fs/mbcache.ko.gz
kernel/fs/jbd2/jbd2.ko.xz:
kernel/lib/crc16.ko.zst:
kernel/fs/mbcache.ko.gz:
kernel/crypto/crc32c_generic.ko:
kernel/drivers/snd-pcm.ko:
`,
    "modules.softdep": "# Soft dependencies\nsoftdep ext4 pre: crc32c no-such-module post: snd-pcm\n",
    "modules.alias": "alias fs-ext4 ext4\nalias crc32c crc32c_generic\n",
    "modules.builtin": "kernel/fs/ramfs/ramfs.ko\n",
    "kernel/fs/ext4/ext4.ko": content("ext4"),
    "kernel/fs/jbd2/jbd2.ko.xz": await filter(work, ["xz", "-c"], content("jbd2")),
    "kernel/lib/crc16.ko.zst": await filter(work, ["zstd", "-c", "-q"], content("crc16")),
    "kernel/fs/mbcache.ko.gz": gzipSync(content("mbcache")),
    "kernel/crypto/crc32c_generic.ko": content("crc32c_generic"),
    "kernel/drivers/snd-pcm.ko": content("snd_pcm"),
  };
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), bytes);
  }
});

afterAll(() => rm(folder, { recursive: true }));

test("needs come first, each once, unpacked", async () => {
  const modules = await modulesInOrder(work, folder, ["ext4", "jbd2"]);
  expect(modules.map(({ name }) => name)).toEqual(["crc32c_generic", "mbcache", "crc16", "jbd2", "ext4"]);
  for (const { name, content } of modules) expect(Buffer.from(content).toString()).toBe(`code of ${name}`);
});

test("aliases, dashes and built-in code are understood", async () => {
  const modules = await modulesInOrder(work, folder, ["fs-ext4", "snd_pcm", "ramfs"]);
  expect(modules.map(({ name }) => name)).toEqual([
    "crc32c_generic",
    "mbcache",
    "crc16",
    "jbd2",
    "ext4",
    "snd_pcm",
  ]);
});

test("a module that the kernel does not have is bad input", async () => {
  await expect(modulesInOrder(work, folder, ["ext5"])).rejects.toThrow(
    expect.objectContaining({ code: "bad-input", message: "the kernel has no module ext5" }),
  );
});
