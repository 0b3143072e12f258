import { existsSync } from "node:fs";
import { readFile, realpath } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import type { Arch, KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { parseConfig } from "./config.js";
import type { SourceTree } from "./source-tree.js";

/**
 * Opens a kernel tree of a person's own.
 * @param root its folder
 * @param options.config path of a configuration to take instead of the tree's own `.config`
 * @param options.arch the architecture that is meant; else the configuration tells, else it is this machine's
 * @param options.id what messages call it; else `tree:PATH`
 * @throws Fault "bad-input" for a folder that is no kernel tree, or a configuration that cannot be read
 */
export async function openTree(
  root: string,
  options: { config?: string; arch?: Arch; id?: string } = {},
): Promise<SourceTree> {
  const folder = await realpath(root).catch(() => undefined);
  const version = folder === undefined ? undefined : await versionOf(folder);
  if (folder === undefined || version === undefined) {
    throw new Fault("bad-input", `${root} is no kernel tree`, {
      remedy: "give the folder that holds the kernel's Makefile, Kbuild and MAINTAINERS",
    });
  }
  const config = await readConfig(folder, options.config);
  const moduleSymvers = join(folder, "Module.symvers");
  return {
    id: options.id ?? `tree:${resolve(root)}`,
    root: folder,
    arch: options.arch ?? (config === undefined ? undefined : archOf(config)) ?? ARCH_HERE,
    ...version,
    ...(config === undefined ? {} : { config: parseConfig(config) }),
    ...(existsSync(moduleSymvers) ? { moduleSymvers } : {}),
    immutable: false,
  };
}

/**
 * The source of a profile as a tree, with the kernel's own configuration and exports.
 * @param cache our cache folder; a source that lies in it never changes
 * @throws Fault "bad-input" when the profile's source is no kernel tree any more
 */
export async function treeOfProfile(profile: KernelProfile, cache: string): Promise<SourceTree> {
  const { id, arch, release, config, moduleSymvers, source } = profile;
  const tree = await openTree(source, { id, arch, config });
  const folder = await realpath(cache).catch(() => undefined);
  const inCache = folder !== undefined && !relative(folder, tree.root).startsWith("..");
  return { ...tree, release, moduleSymvers, immutable: inCache };
}

const ARCH_HERE: Arch = process.arch === "arm64" ? "arm64" : "x86_64";

/** @returns undefined when the folder does not look like a kernel tree */
async function versionOf(folder: string): Promise<Pick<SourceTree, "version" | "release"> | undefined> {
  if (!["Kbuild", "MAINTAINERS"].every((name) => existsSync(join(folder, name)))) return undefined;
  const makefile = await readFile(join(folder, "Makefile"), "utf8").catch(() => "");
  const value = (name: string) => new RegExp(`^${name}[ \\t]*=[ \\t]*(\\S*)`, "m").exec(makefile)?.[1];
  const [version, patchLevel] = [value("VERSION"), value("PATCHLEVEL")].map(Number);
  if (!Number.isInteger(version) || !Number.isInteger(patchLevel)) return undefined;
  const release = `${version}.${patchLevel}.${value("SUBLEVEL") || "0"}${value("EXTRAVERSION") ?? ""}`;
  return { version: [version ?? 0, patchLevel ?? 0], release };
}

async function readConfig(folder: string, named: string | undefined): Promise<string | undefined> {
  if (named === undefined) return await readFile(join(folder, ".config"), "utf8").catch(() => undefined);
  try {
    return await readFile(named, "utf8");
  } catch (cause) {
    throw new Fault("bad-input", `cannot read the configuration ${named}`, { cause });
  }
}

/** By the option, or by the first lines: `# Linux/x86 6.1.0 Kernel Configuration` (scripts/kconfig/confdata.c). */
function archOf(config: string): Arch | undefined {
  if (/^CONFIG_ARM64=y$/m.test(config) || /^# Linux\/arm64 /m.test(config)) return "arm64";
  return /^CONFIG_X86_64=y$/m.test(config) || /^# Linux\/x86(?:_64)? /m.test(config) ? "x86_64" : undefined;
}
