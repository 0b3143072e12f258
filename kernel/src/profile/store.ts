import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Fault } from "../host/fault.js";
import { withLock } from "../host/lock.js";
import type { Work } from "../host/work.js";
import { readSymbolTable } from "../sandbox/symbol-table.js";
import { resolveDebianKernel, unpackDebianKernel } from "./debian.js";
import type { KernelParts } from "./parts.js";
import { prepareBuild } from "./prepare.js";
import type { KernelProfile } from "./profile.js";

/**
 * Makes a kernel's profile, or finds it made already.
 * Whatever an earlier, killed run left is taken away first; the profile exists once its `profile.json` does.
 * @param id `debian/<release>`, `debian/latest-amd64`, `debian/latest-arm64` or `tree:PATH`
 * @throws Fault `bad-input` for an unknown kernel or an unusable tree, `lacking` without network, tools or room
 */
export async function addProfile(work: Work, id: string): Promise<KernelProfile> {
  const kernel = await resolveDebianKernel(work, id);
  const folder = profileFolder(work, kernel.id);
  const source = join(work.cache, "sources", `${kernel.sourcePackage}_${kernel.sourceVersion}`);
  return withLock(work, lockFile(work, kernel.id), `another run adds ${kernel.id}`, async () => {
    const existing = await readProfile(folder);
    if (existing) return existing;
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    return withLock(work, lockFile(work, source), `another run uses ${source}`, async () => {
      const parts = await unpackDebianKernel(work, kernel, folder, source);
      return finish(work, kernel.id, folder, parts);
    });
  });
}

async function finish(work: Work, id: string, folder: string, parts: KernelParts): Promise<KernelProfile> {
  const prepared = await prepareBuild(work, parts, folder);
  const symbolTable = join(folder, "kallsyms");
  await writeFile(symbolTable, await readSymbolTable(work, parts));
  const profile: KernelProfile = { schemaVersion: 1, id, ...parts, ...prepared, symbolTable };
  const path = join(folder, "profile.json");
  await writeFile(`${path}.new`, `${JSON.stringify(profile, undefined, 2)}\n`);
  await rename(`${path}.new`, path);
  return profile;
}

async function readProfile(folder: string): Promise<KernelProfile | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, "profile.json"), "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function profileFolder(work: Pick<Work, "cache">, id: string): string {
  return join(work.cache, "kernels", id);
}

function lockFile(work: Pick<Work, "cache">, name: string): string {
  return join(work.cache, "locks", createHash("sha256").update(name).digest("hex").slice(0, 16));
}
