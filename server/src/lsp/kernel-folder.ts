import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** What lies at the root of every kernel tree, and together nowhere else. */
const MARKS = ["Kbuild", "MAINTAINERS", "Makefile"];

/**
 * The kernel tree that a file is in: the nearest folder above it that looks like one.
 * @param path absolute; the file need not exist
 * @returns undefined for a file outside of any
 */
export function kernelFolderOf(path: string): string | undefined {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (MARKS.every((name) => existsSync(join(folder, name)))) return folder;
    if (folder === dirname(folder)) return undefined;
  }
}
