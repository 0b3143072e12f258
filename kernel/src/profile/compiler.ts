import { readdir } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { Fault } from "../host/fault.js";
import { runOk } from "../host/run.js";
import type { Work } from "../host/work.js";
import type { KernelConfig } from "./config.js";
import type { Arch, KernelProfile } from "./profile.js";

/** The compilers of one profile. */
export interface Compiler {
  /** Of GCC or Clang. */
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
 * Finds the compiler that built the image, or the one with the nearest version. `CROSS_COMPILE` in the environment names
 * another cross toolchain than Debian's, as for the kernel's own build.
 * @param config the image's; CONFIG_CC_VERSION_TEXT, CONFIG_GCC_VERSION and CONFIG_CLANG_VERSION tell (init/Kconfig)
 * @throws Fault `lacking` when there is no such compiler for the architecture, `bad-input` for a kernel built by
 *   neither GCC nor Clang, or a `CROSS_COMPILE` that is none or for another architecture
 */
export async function chooseCompiler(work: Work, arch: Arch, config: KernelConfig): Promise<Compiler> {
  const builtWith = (config.get("CONFIG_CC_VERSION_TEXT") ?? "").replaceAll('"', "");
  const isClang = config.get("CONFIG_CC_IS_CLANG") === "y";
  const major = majorOf(config.get(isClang ? "CONFIG_CLANG_VERSION" : "CONFIG_GCC_VERSION"));
  if (major === 0) {
    throw new Fault(
      "bad-input",
      `this kernel was built by ${builtWith || "an unknown compiler"}, neither GCC nor Clang`,
    );
  }
  const cross = MACHINE[process.arch] !== arch;
  const crossCompile = cross ? crossPrefix(arch, process.env.CROSS_COMPILE) : "";
  const programs = await programsOnPath(crossCompile);
  // Clang is one program for all architectures; the rest of the toolchain is the prefix's.
  const family = isClang ? "clang" : `${crossCompile}gcc`;
  const command = nearestCompiler(programs, family, major);
  const hostCommand = nearestCompiler(programs, "gcc", major);
  if (command === undefined || hostCommand === undefined) {
    const name = command === undefined ? `${family}-${major}` : `gcc-${major}`;
    const isDebiansCross = cross && !isClang && command === undefined;
    const debianPackage = isDebiansCross ? `gcc-${major}-${TRIPLET[arch].replace("_", "-")}` : name;
    throw new Fault("lacking", `there is no compiler for ${arch}: ${name} is not installed`, {
      remedy: `apt install ${debianPackage}`,
    });
  }
  const [version = ""] = (await runOk(work, [command, "--version"])).split("\n");
  if (crossCompile !== "" && !isClang) await judgeMachine(work, command, arch);
  const compat = arch === "arm64" && config.get("CONFIG_COMPAT_VDSO") === "y" && programs.has(`${ARM}gcc`);
  return { command, version, builtWith, crossCompile, crossCompileCompat: compat ? ARM : "", hostCommand };
}

/** @param version such as `120200` */
function majorOf(version: string | undefined): number {
  return Math.floor(Number(version ?? 0) / 10_000);
}

/**
 * @param wanted `CROSS_COMPILE`, if the person set it
 * @throws Fault `bad-input` when it cannot be the beginning of a program's name
 */
export function crossPrefix(arch: Arch, wanted: string | undefined): string {
  if (wanted === undefined || wanted === "") return `${TRIPLET[arch]}-`;
  if (!/^(?:\/[\w.+/-]*)?[\w.+][\w.+-]*-$/.test(wanted))
    throw new Fault("bad-input", `CROSS_COMPILE=${wanted} is no prefix of a toolchain's programs`, {
      remedy: `such as ${TRIPLET[arch]}-, or an absolute path that ends like that`,
    });
  return wanted;
}

async function judgeMachine(work: Work, command: string, arch: Arch): Promise<void> {
  const machine = (await runOk(work, [command, "-dumpmachine"])).trim();
  if (machine.split("-")[0] !== TRIPLET[arch].split("-")[0])
    throw new Fault("bad-input", `${command} compiles for ${machine}, not for ${arch}`, {
      remedy: "unset CROSS_COMPILE, or set it to a toolchain for this kernel",
    });
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
 * @param family such as `gcc`, `clang` or `aarch64-linux-gnu-gcc`
 * @returns the name that carries the version `major`, else the nearest that carries one, newer before older, else
 *   the unversioned name
 */
export function nearestCompiler(
  programs: ReadonlySet<string>,
  family: string,
  major: number,
): string | undefined {
  const versioned = [...programs]
    .filter((name) => name.startsWith(`${family}-`) && /^\d+$/.test(name.slice(family.length + 1)))
    .map((name) => ({ name, version: Number(name.slice(family.length + 1)) }))
    .sort((a, b) => Math.abs(a.version - major) - Math.abs(b.version - major) || b.version - a.version);
  return versioned[0]?.name ?? (programs.has(family) ? family : undefined);
}

/** Programs by name, and those of a toolchain that is named by its path. */
async function programsOnPath(crossCompile: string): Promise<Set<string>> {
  const list = (folder: string) => readdir(folder).catch(() => []);
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder.startsWith("/"));
  const listed = await Promise.all(folders.map(list));
  const besides = crossCompile.startsWith("/") ? dirname(crossCompile) : undefined;
  const ofToolchain = besides === undefined ? [] : (await list(besides)).map((name) => join(besides, name));
  return new Set([...listed.flat(), ...ofToolchain]);
}
