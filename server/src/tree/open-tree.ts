import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseConfig } from "./config.js";
import type { SourceTree } from "./source-tree.js";

/** Provisional: replaced by branch `tree`. */
export async function openTree(root: string): Promise<SourceTree> {
  const config = await readFile(join(root, ".config"), "utf8").catch(() => undefined);
  return {
    id: `tree:${root}`,
    root,
    arch: "x86_64",
    version: [6, 1],
    ...(config !== undefined && { config: parseConfig(config) }),
    immutable: false,
  };
}
