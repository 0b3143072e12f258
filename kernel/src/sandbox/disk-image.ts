import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runConfinedOk } from "../host/confined.js";
import type { Work } from "../host/work.js";
import type { TestDisk } from "./sandbox-test.js";

const UUID = "6b657266-7061-4000-8000-746368000000";

/**
 * An empty file system. Busybox can make ext2 only, and the host's mkfs is not for the guest's architecture, so it is
 * made here. The same disk gives the same bytes.
 * @throws Fault `lacking` without mkfs (e2fsprogs), `bad-input` when mkfs refuses the options
 */
export async function diskImage(work: Work, disk: TestDisk): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), "kernel-hotpatch-"));
  try {
    const path = join(folder, "disk");
    const file = await open(path, "w");
    await file.truncate(disk.size * 1024 * 1024);
    await file.close();
    await runConfinedOk(
      work,
      [`mkfs.${disk.type}`, "-q", "-F", "-U", UUID, "-E", `hash_seed=${UUID}`, ...disk.options, path],
      { readable: [], writable: folder },
      {
        // Fixes the times and the hash seed (mke2fs 1.47; older ones leave them to the clock).
        env: {
          SOURCE_DATE_EPOCH: "0",
          E2FSPROGS_FAKE_TIME: "1",
          PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin`,
        },
        failure: { code: "bad-input", message: `mkfs.${disk.type} refuses the test's disk` },
      },
    );
    return await readFile(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
