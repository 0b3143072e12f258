import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { Machine } from "../elf/format.js";
import { ElfError, readElf } from "../elf/read.js";
import { Fault } from "../host/fault.js";
import { canonicalModuleName, moduleInformation } from "../profile/module-file.js";
import type { Arch } from "../profile/profile.js";

/** A loadable module as far as loading it needs. */
export interface ModuleFile {
  readonly content: Buffer;
  /** Name under `/sys/module`. */
  readonly name: string;
  /** Modules that must be loaded before. */
  readonly depends: readonly string[];
}

const MACHINES: Readonly<Record<Arch, number>> = { x86_64: Machine.X86_64, arm64: Machine.AARCH64 };

/**
 * Reads a module and makes sure that it was made for this kernel.
 * @throws Fault `bad-input` when it cannot be read, is no module, or is one for another architecture or release
 */
export async function readModule(
  path: string,
  kernel: { readonly arch: Arch; readonly release: string },
): Promise<ModuleFile> {
  const content = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw new Fault("bad-input", `cannot read ${path}: ${cause.message}`, { cause });
  });
  const { machine, information } = inspect(path, content);
  if (machine !== MACHINES[kernel.arch]) throw new Fault("bad-input", `${path} is not for ${kernel.arch}`);
  // include/linux/vermagic.h: the release comes first.
  const release = information.get("vermagic")?.split(" ")[0];
  if (release === undefined) throw new Fault("bad-input", `${path} is not a kernel module`);
  if (release !== kernel.release) {
    throw new Fault("bad-input", `${path} was built for ${release}, not for ${kernel.release}`, {
      remedy: "build it for this kernel, or choose the other with --kernel",
    });
  }
  const depends = (information.get("depends") ?? "").split(",").filter((name) => name !== "");
  return { content, name: information.get("name") ?? canonicalModuleName(basename(path, ".ko")), depends };
}

function inspect(path: string, content: Buffer): { machine: number; information: Map<string, string> } {
  try {
    const object = readElf(content);
    return { machine: object.machine, information: moduleInformation(object) };
  } catch (cause) {
    if (!(cause instanceof ElfError)) throw cause;
    throw new Fault("bad-input", `${path} is not a kernel module: ${cause.message}`, { cause });
  }
}
