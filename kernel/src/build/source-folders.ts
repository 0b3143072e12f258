import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Arch } from "../profile/profile.js";
import { SOURCE_ARCH } from "./kbuild.js";

/** Top folders that hold nothing the kernel's own C is made of. */
const OUTSIDE = new Set(["Documentation", "LICENSES", "tools", "scripts", "rust", ".git"]);

/**
 * The folders that the kernel's own C is made of: of the architectures only one.
 * @param root of a kernel tree
 * @returns relative to the root, sorted; symbolic links are left out
 */
export async function sourceFolders(root: string, arch: Arch): Promise<string[]> {
  const top = await readdir(root, { withFileTypes: true });
  const folders = top
    .filter((entry) => entry.isDirectory() && entry.name !== "arch" && !OUTSIDE.has(entry.name))
    .map((entry) => entry.name);
  const own = join("arch", SOURCE_ARCH[arch]);
  const ownIsThere = top.some((entry) => entry.isDirectory() && entry.name === "arch");
  if (ownIsThere && (await lstat(join(root, own)).catch(() => undefined))?.isDirectory()) folders.push(own);
  return folders.sort();
}
