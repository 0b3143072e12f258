import { createHash } from "node:crypto";
import { access, cp, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ElfObject } from "../elf/object.js";
import { readElf } from "../elf/read.js";
import { runConfinedOk } from "../host/confined.js";
import { Fault } from "../host/fault.js";
import { withLock } from "../host/lock.js";
import type { Work } from "../host/work.js";
import { foldersOf, type KernelProfile } from "../profile/profile.js";
import { type Backend, backendOf } from "./backend.js";
import { type Export, parseSymvers } from "./kernel-symbols.js";

/** Offsets and sizes in bytes by `struct klp_func.old_name` or `struct klp_func`, of one kernel. */
export type Layout = ReadonlyMap<string, number>;

export interface Runtime {
  readonly backend: Backend;
  /** Why it is this one. */
  readonly why: string;
  /** The compiled `entry.c` of the back end; fresh for every caller, who may change it. */
  readonly entry: ElfObject;
  readonly layout: Layout;
  /** The module that patch modules need, where the kernel's own core does not do. */
  readonly core?: Core;
}

/** `hotpatch_core.ko` for one kernel. */
export interface Core {
  readonly path: string;
  /** What it exports to patch modules. */
  readonly exports: ReadonlyMap<string, Export>;
}

const CORE = "hotpatch_core.ko";
const SOURCES = fileURLToPath(new URL("../../runtime/", import.meta.url));

/** The folders of each back end that are compiled, with what make is to make in them. */
const PARTS: Readonly<Record<Backend, readonly (readonly [folder: string, ...targets: string[]])[]>> = {
  livepatch: [[".", "entry.o", "layout.o"]],
  ftrace: [
    ["patch", "entry.o", "layout.o"],
    ["core", "modules"],
  ],
};

/**
 * The C part of patch modules for the back end of a profile, compiled by the kernel's own build system the first time
 * the profile needs it.
 * @throws Fault as `backendOf`; `defect` with the compiler's words when it does not compile
 */
export async function runtimeOf(work: Work, profile: KernelProfile): Promise<Runtime> {
  const { backend, why } = await backendOf(profile);
  const folder = join(work.cache, "runtime", await runtimeKey(profile, backend));
  const load = async (): Promise<Runtime> => {
    const patch = join(folder, PARTS[backend][0]?.[0] ?? "");
    return {
      backend,
      why,
      entry: readElf(await readFile(join(patch, "entry.o"))),
      layout: readLayout(readElf(await readFile(join(patch, "layout.o")))),
      ...(backend === "ftrace" && { core: await readCore(join(folder, "core")) }),
    };
  };
  try {
    return await load();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  return withLock(work, `${folder}.lock`, `runtime of ${profile.id}`, async () => {
    work.progress(`compiling the runtime for ${profile.release}`);
    const aside = await mkdtemp(join(work.cache, "runtime", "compiling-"));
    try {
      await cp(join(SOURCES, backend), aside, { recursive: true });
      for (const [part, ...targets] of PARTS[backend]) await make(work, profile, aside, part, targets);
      // Debug information names the folder that it was compiled in.
      if (backend === "ftrace")
        await runConfinedOk(
          work,
          [`${profile.makeVariables.CROSS_COMPILE ?? ""}strip`, "--strip-debug", join(aside, "core", CORE)],
          { readable: foldersOf(profile), writable: aside },
        );
      await rm(folder, { recursive: true, force: true });
      await rename(aside, folder);
    } finally {
      await rm(aside, { recursive: true, force: true });
    }
    return load();
  });
}

async function make(
  work: Work,
  profile: KernelProfile,
  folder: string,
  part: string,
  targets: readonly string[],
): Promise<void> {
  const variables = Object.entries(profile.makeVariables).map(([name, value]) => `${name}=${value}`);
  await runConfinedOk(
    work,
    ["make", "-C", profile.source, `O=${profile.build}`, `M=${join(folder, part)}`, ...variables, ...targets],
    { readable: foldersOf(profile), writable: folder },
    { failure: { code: "defect", message: `the runtime does not compile for ${profile.release}` } },
  );
}

/** Changes with everything that the compiled runtime depends on. */
async function runtimeKey(profile: KernelProfile, backend: Backend): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify(profile));
  const folder = join(SOURCES, backend);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  for (const path of files.sort()) hash.update(await readFile(path));
  return hash.digest("hex").slice(0, 24);
}

async function readCore(folder: string): Promise<Core> {
  const path = join(folder, CORE);
  await access(path);
  return { path, exports: parseSymvers(await readFile(join(folder, "Module.symvers"), "utf8")) };
}

/** Reads `struct hotpatch_layout[]` (runtime/livepatch/layout.c): names of 56 bytes, values of 8. */
function readLayout(object: ElfObject): Layout {
  const [NAME, ENTRY] = [56, 64];
  const data = object.sections.find((section) => section.name === ".hotpatch.layout")?.data;
  if (data === undefined) throw new Fault("defect", "the compiled runtime says nothing about structures");
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const layout = new Map<string, number>();
  for (let at = 0; at + ENTRY <= data.length; at += ENTRY) {
    const name = new TextDecoder().decode(data.subarray(at, at + NAME)).replaceAll("\0", "");
    layout.set(name, Number(view.getBigUint64(at + NAME, object.littleEndian)));
  }
  return layout;
}

/** @throws Fault `defect` when the kernel has no such structure or member */
export function layoutOf(layout: Layout, what: string): number {
  const value = layout.get(what);
  if (value === undefined) throw new Fault("defect", `this kernel has no '${what}'`);
  return value;
}
