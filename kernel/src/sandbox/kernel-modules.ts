import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "../host/fault.js";
import type { Work } from "../host/work.js";
import { canonicalModuleName, moduleName, readModuleFile } from "../profile/module-file.js";

/** A module ready for `insmod`. */
export interface KernelModule {
  readonly name: string;
  readonly content: Uint8Array;
}

/**
 * The modules asked for with all they need, in loading order; those built into the kernel are left out.
 * @param folder `lib/modules/<release>`, as depmod leaves it (modules.dep(5): `modules.dep`, `modules.softdep`,
 *   `modules.alias`, `modules.builtin`)
 * @param names modules by name or alias
 * @throws Fault `bad-input` when the kernel has no such module
 */
export async function modulesInOrder(
  work: Work,
  folder: string,
  names: readonly string[],
): Promise<KernelModule[]> {
  if (names.length === 0) return [];
  const index = await readIndex(folder);
  const paths = new Set<string>();
  for (const name of names) {
    if (!add(index, canonicalModuleName(name), paths)) {
      throw new Fault("bad-input", `the kernel has no module ${name}`, { detail: `looked in ${folder}` });
    }
  }
  return Promise.all(
    [...paths].map(async (path) => ({
      name: moduleName(path),
      content: await readModuleFile(work, join(folder, path)),
    })),
  );
}

interface ModuleIndex {
  /** Path and what must be loaded before, by name. */
  readonly modules: ReadonlyMap<string, { readonly path: string; readonly needs: readonly string[] }>;
  readonly builtin: ReadonlySet<string>;
  readonly aliases: ReadonlyMap<string, string>;
}

/** Puts a module behind what it needs; false when there is no such module. */
function add(index: ModuleIndex, name: string, paths: Set<string>): boolean {
  if (index.builtin.has(name)) return true;
  const module = index.modules.get(name);
  if (module === undefined) {
    const real = index.aliases.get(name);
    return real !== undefined && add(index, real, paths);
  }
  if (paths.has(module.path)) return true;
  // A soft dependency that does not exist is none (modprobe.d(5)).
  for (const need of module.needs) add(index, need, paths);
  paths.add(module.path);
  return true;
}

async function readIndex(folder: string): Promise<ModuleIndex> {
  const [dependencies, soft, aliases, builtin] = await Promise.all(
    ["modules.dep", "modules.softdep", "modules.alias", "modules.builtin"].map((name) =>
      lines(join(folder, name)),
    ),
  );
  const before = new Map<string, string[]>();
  for (const line of soft ?? []) {
    const [, name, rest] = /^softdep (\S+) (.*)$/.exec(line) ?? [];
    const [, needs] = /\bpre: (.*?)(?: post:|$)/.exec(rest ?? "") ?? [];
    if (name !== undefined && needs !== undefined)
      before.set(canonicalModuleName(name), needs.split(" ").map(canonicalModuleName));
  }
  const modules = (dependencies ?? []).flatMap((line) => {
    const [path, needs = ""] = line.split(":");
    if (path === undefined || path === "") return [];
    const name = moduleName(path);
    // modules.dep names what is to be loaded first last.
    const hard = needs
      .split(" ")
      .filter((word) => word !== "")
      .map(moduleName)
      .reverse();
    return [[name, { path, needs: [...(before.get(name) ?? []), ...hard] }] as const];
  });
  return {
    modules: new Map(modules),
    builtin: new Set((builtin ?? []).map(moduleName)),
    aliases: new Map(
      (aliases ?? []).flatMap((line) => {
        const [word, alias, name] = line.split(" ");
        return word === "alias" && alias && name
          ? [[canonicalModuleName(alias), canonicalModuleName(name)] as const]
          : [];
      }),
    ),
  };
}

/** Lines of a file; none when it does not exist. */
async function lines(path: string): Promise<string[]> {
  try {
    return (await readFile(path, "utf8")).split("\n").filter((line) => line !== "");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
