import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { access, mkdir, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { Fault } from "../host/fault.js";

/**
 * Judges the folder that somebody wants results in, before any work is done for them. Nothing is written yet.
 * @param forbidden folders that must not be written to
 * @returns its absolute path; it need not exist
 * @throws Fault `bad-input` when it is in a forbidden folder, cannot be made or cannot be written
 */
export async function judgeOutput(outputDir: string, forbidden: readonly string[]): Promise<string> {
  const wanted = resolve(outputDir);
  const existing = await nearestExisting(wanted);
  const real = join(await realpath(existing), relative(existing, wanted));
  for (const folder of forbidden)
    if (isWithin(real, await realpath(folder)))
      throw new Fault("bad-input", `the output folder ${outputDir} is inside the kernel's own ${folder}`);
  if (!(await stat(existing)).isDirectory())
    throw new Fault("bad-input", `cannot write to ${outputDir}: ${existing} is no folder`);
  await access(existing, constants.W_OK | constants.X_OK).catch((error) => {
    throw cannotWrite(outputDir, error);
  });
  return wanted;
}

/**
 * Puts results into a folder: made aside by `write`, then renamed one by one. What earlier results are called is
 * removed first, so that nothing there ever belongs to another build.
 * @param names every name in `outputDir` that a build may leave; `write` makes some of them
 */
export async function publish(
  outputDir: string,
  names: readonly string[],
  write: (folder: string) => Promise<readonly string[]>,
): Promise<void> {
  const aside = join(outputDir, `.hotpatch-${randomUUID()}`);
  try {
    await makeFolder(outputDir);
    await mkdir(aside);
    const written = await write(aside);
    for (const name of names) await rm(join(outputDir, name), { recursive: true, force: true });
    for (const name of written) await rename(join(aside, name), join(outputDir, name));
  } catch (error) {
    throw isSystemError(error) ? cannotWrite(outputDir, error) : error;
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

/** Node's own recursive mkdir never returns where the file system takes no folders, such as in /proc. */
async function makeFolder(path: string): Promise<void> {
  const existing = await nearestExisting(path);
  if (existing === path) return;
  await makeFolder(dirname(path));
  await mkdir(path).catch((error) => {
    if (!isSystemError(error) || error.code !== "EEXIST") throw error;
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no folder can be made there",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  ENOTDIR: "a part of the path is no folder",
  EISDIR: "a folder is in the way",
};

function cannotWrite(outputDir: string, error: unknown): Fault {
  const code = isSystemError(error) ? (error.code ?? "") : "";
  const full = code === "ENOSPC" || code === "EDQUOT";
  const reason = REASONS[code] ?? String(error);
  return new Fault(full ? "lacking" : "bad-input", `cannot write to ${outputDir}: ${reason}`, {
    cause: error,
  });
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "code" in error && "syscall" in error;
}

async function nearestExisting(path: string): Promise<string> {
  try {
    await stat(path);
    return path;
  } catch (error) {
    const code = isSystemError(error) ? error.code : undefined;
    if (code !== "ENOENT" && code !== "ENOTDIR") throw cannotWrite(path, error);
    return await nearestExisting(dirname(path));
  }
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
