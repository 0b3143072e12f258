import { mkdir, statfs } from "node:fs/promises";
import { Fault } from "../host/fault.js";
import type { Work } from "../host/work.js";

const MARGIN = 16 * 2 ** 20;
const REMEDY = "make room, or set XDG_CACHE_HOME to a folder on a larger disk";

/** @throws Fault `lacking` when the disk under the cache has less than `bytes` free, plus a margin */
export async function requireRoom(work: Pick<Work, "cache">, bytes: number): Promise<void> {
  await mkdir(work.cache, { recursive: true });
  const disk = await statfs(work.cache);
  const free = disk.bavail * disk.bsize;
  if (free >= bytes + MARGIN) return;
  const mb = (count: number) => `${Math.ceil(count / 1e6)} MB`;
  throw new Fault("lacking", `${work.cache} has ${mb(free)} free, ${mb(bytes + MARGIN)} are needed`, {
    remedy: REMEDY,
  });
}

/** Does `action`; a disk that fills up meanwhile, in us or in a program of ours, is said to be that. */
export async function namingFullDisk<T>(work: Pick<Work, "cache">, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    throw new Fault("lacking", `the disk under ${work.cache} is full`, { remedy: REMEDY, cause: error });
  }
}

function isDiskFull(error: unknown): boolean {
  if (error instanceof Fault) return /No space left on device/.test(`${error.message}\n${error.detail}`);
  return error instanceof Error && "code" in error && error.code === "ENOSPC";
}
