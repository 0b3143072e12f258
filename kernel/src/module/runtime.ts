import { createHash } from "node:crypto";
import { cp, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ElfObject } from "../elf/object.js";
import { readElf } from "../elf/read.js";
import { Fault } from "../host/fault.js";
import { withLock } from "../host/lock.js";
import { runOk } from "../host/run.js";
import type { Work } from "../host/work.js";
import type { KernelProfile } from "../profile/profile.js";

/** Offsets and sizes in bytes by `struct klp_func.old_name` or `struct klp_func`, of one kernel. */
export type Layout = ReadonlyMap<string, number>;

export interface Runtime {
  /** The compiled `entry.c` of the back end; fresh for every caller, who may change it. */
  readonly entry: ElfObject;
  readonly layout: Layout;
}

const SOURCES = fileURLToPath(new URL("../../runtime/livepatch/", import.meta.url));

/**
 * The C part of patch modules, compiled by the kernel's own build system the first time a profile needs it.
 * @throws Fault `defect` with the compiler's words when it does not compile
 */
export async function livepatchRuntime(work: Work, profile: KernelProfile): Promise<Runtime> {
  const folder = join(work.cache, "runtime", await runtimeKey(profile));
  const load = async (): Promise<Runtime> => ({
    entry: readElf(await readFile(join(folder, "entry.o"))),
    layout: readLayout(readElf(await readFile(join(folder, "layout.o")))),
  });
  try {
    return await load();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  return withLock(work, `${folder}.lock`, `runtime of ${profile.id}`, async () => {
    work.progress(`compiling the runtime for ${profile.release}`);
    const aside = await mkdtemp(join(work.cache, "runtime", "compiling-"));
    try {
      await cp(SOURCES, aside, { recursive: true });
      const variables = Object.entries(profile.makeVariables).map(([name, value]) => `${name}=${value}`);
      await runOk(
        work,
        [
          "make",
          "-C",
          profile.source,
          `O=${profile.build}`,
          `M=${aside}`,
          ...variables,
          "entry.o",
          "layout.o",
        ],
        { failure: { code: "defect", message: `the runtime does not compile for ${profile.release}` } },
      );
      await rm(folder, { recursive: true, force: true });
      await rename(aside, folder);
    } finally {
      await rm(aside, { recursive: true, force: true });
    }
    return load();
  });
}

/** Changes with everything that the compiled runtime depends on. */
async function runtimeKey(profile: KernelProfile): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify(profile));
  for (const name of (await readdir(SOURCES)).sort()) hash.update(await readFile(join(SOURCES, name)));
  return hash.digest("hex").slice(0, 24);
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
