import { readdir } from "node:fs/promises";
import { delimiter } from "node:path";
import { Fault } from "../host/fault.js";
import { runOk } from "../host/run.js";
import type { Work } from "../host/work.js";
import type { KernelConfig } from "./config.js";
import type { Arch, KernelProfile } from "./profile.js";

/** The compilers of one profile. */
export interface Compiler {
  readonly command: string;
  readonly version: string;
  readonly builtWith: string;
  /** Prefix of the binutils for `CROSS_COMPILE`; empty for the machine's own architecture. */
  readonly crossCompile: string;
  /** Prefix of the 32-bit toolchain for an arm64 kernel's 32-bit vDSO (`CROSS_COMPILE_COMPAT`); empty without one. */
  readonly crossCompileCompat: string;
  /** Compiler for the programs that run while building. */
  readonly hostCommand: string;
}

const TRIPLET: Record<Arch, string> = { x86_64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" };
const ARM = "arm-linux-gnueabihf-";
const MACHINE: Partial<Record<NodeJS.Architecture, Arch>> = { x64: "x86_64", arm64: "arm64" };

/**
 * Finds the compiler that built the image, or the one with the nearest version.
 * @param config the image's; CONFIG_CC_VERSION_TEXT and CONFIG_GCC_VERSION tell the compiler (init/Kconfig)
 * @throws Fault `lacking` when there is no GCC for the architecture, `bad-input` for a kernel not built by GCC
 */
export async function chooseCompiler(work: Work, arch: Arch, config: KernelConfig): Promise<Compiler> {
  const builtWith = (config.get("CONFIG_CC_VERSION_TEXT") ?? "").replaceAll('"', "");
  const major = Math.floor(Number(config.get("CONFIG_GCC_VERSION") ?? 0) / 10_000);
  if (major === 0) {
    throw new Fault(
      "bad-input",
      `this kernel was built by ${builtWith || "an unknown compiler"}, not by GCC`,
    );
  }
  const programs = await programsOnPath();
  const cross = MACHINE[process.arch] !== arch;
  const crossCompile = cross ? `${TRIPLET[arch]}-` : "";
  const command = nearestCompiler(programs, crossCompile, major);
  const hostCommand = nearestCompiler(programs, "", major);
  if (command === undefined || hostCommand === undefined) {
    const name = command === undefined ? `${crossCompile}gcc-${major}` : `gcc-${major}`;
    const debianPackage =
      cross && command === undefined ? `gcc-${major}-${TRIPLET[arch].replace("_", "-")}` : name;
    throw new Fault("lacking", `there is no compiler for ${arch}: ${name} is not installed`, {
      remedy: `apt install ${debianPackage}`,
    });
  }
  const [version = ""] = (await runOk(work, [command, "--version"])).split("\n");
  const compat = arch === "arm64" && config.get("CONFIG_COMPAT_VDSO") === "y" && programs.has(`${ARM}gcc`);
  return { command, version, builtWith, crossCompile, crossCompileCompat: compat ? ARM : "", hostCommand };
}

/**
 * Whether a profile's compiler is the one that built its image, whatever name it was called by.
 * @param compiler `version` and `builtWith` read such as `gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0`
 */
export function builtTheImage(compiler: KernelProfile["compiler"]): boolean {
  const withoutName = (text: string) => text.replace(/^\S+\s+/, "");
  return withoutName(compiler.version) === withoutName(compiler.builtWith);
}

/**
 * @param programs names of the programs that can be started
 * @param prefix such as `aarch64-linux-gnu-`, or empty
 * @returns the name that carries the version `major`, else the nearest that carries one, newer before older, else
 *   the unversioned name
 */
export function nearestCompiler(
  programs: ReadonlySet<string>,
  prefix: string,
  major: number,
): string | undefined {
  const versioned = [...programs]
    .filter((name) => name.startsWith(`${prefix}gcc-`) && /^\d+$/.test(name.slice(prefix.length + 4)))
    .map((name) => ({ name, version: Number(name.slice(prefix.length + 4)) }))
    .sort((a, b) => Math.abs(a.version - major) - Math.abs(b.version - major) || b.version - a.version);
  return versioned[0]?.name ?? (programs.has(`${prefix}gcc`) ? `${prefix}gcc` : undefined);
}

async function programsOnPath(): Promise<Set<string>> {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder.startsWith("/"));
  const listed = await Promise.all(folders.map((folder) => readdir(folder).catch(() => [])));
  return new Set(listed.flat());
}
