import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
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

/** Provisional: replaced by branch `tree`. */
export async function treeOfProfile(profile: KernelProfile, cache: string): Promise<SourceTree> {
  const { id, arch, config, moduleSymvers, source } = profile;
  const tree = await openTree(source);
  const parsed = parseConfig(await readFile(config, "utf8"));
  return { ...tree, id, arch, config: parsed, moduleSymvers, immutable: source.startsWith(cache) };
}
