import { chmod, copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { runConfined } from "../host/confined.js";
import { Fault } from "../host/fault.js";
import type { Work } from "../host/work.js";
import { builtTheImage, chooseCompiler } from "./compiler.js";
import { configDrift, type KernelConfig, parseConfig, withoutSigning } from "./config.js";
import { refuseLimits } from "./config-limits.js";
import { fetchEmulatedCompiler } from "./emulated-compiler.js";
import type { KernelParts } from "./parts.js";
import type { KernelProfile } from "./profile.js";

/** The part of a profile that preparing yields. */
export type PreparedBuild = Pick<KernelProfile, "build" | "compiler" | "makeVariables" | "configDrift">;

const HOUR = 3600;

/**
 * Makes a Kbuild output folder in which objects compile as they did for the image.
 * @param folder the profile's own; `build` and a stand-in for `pahole` are made in it
 * @throws Fault `lacking` without a compiler or the kernel's build tools, `bad-input` when the tree does not build or is
 *   configured for what we cannot patch
 */
export async function prepareBuild(
  work: Work,
  parts: Pick<KernelParts, "arch" | "release" | "config" | "moduleSymvers" | "source">,
  folder: string,
): Promise<PreparedBuild> {
  const build = join(folder, "build");
  // Kbuild refuses both (Makefile, "source directory cannot contain spaces or colons").
  for (const path of [parts.source, build]) {
    if (/[\s:]/.test(path)) {
      throw new Fault(
        "bad-input",
        `the kernel's build cannot work below ${path}: a space or colon is in the way`,
        {
          remedy: "set XDG_CACHE_HOME to a folder without spaces and colons in its path",
        },
      );
    }
  }
  const config = await readFile(parts.config, "utf8");
  const options = parseConfig(config);
  refuseLimits(options, parts.release);
  const compiler = await chooseCompiler(work, parts.arch, options);
  const makeVariables = {
    ARCH: parts.arch,
    CROSS_COMPILE: compiler.crossCompile,
    ...(compiler.crossCompileCompat === "" ? {} : { CROSS_COMPILE_COMPAT: compiler.crossCompileCompat }),
    CC: compiler.command,
    ...llvmTools(options),
    HOSTCC: compiler.hostCommand,
    // Given each time, or else utsrelease.h falls back to the source's own version.
    KERNELRELEASE: parts.release,
    PAHOLE: await standInPahole(folder, options.get("CONFIG_PAHOLE_VERSION") ?? "0"),
    // A compiler for Rust would show up in the configuration, even where nothing is written in Rust.
    ...(options.get("CONFIG_RUST") === "y" ? {} : { RUSTC: "false" }),
    KBUILD_BUILD_TIMESTAMP: "1970-01-01",
    KBUILD_BUILD_VERSION: "1",
    KBUILD_BUILD_USER: "hotpatch",
    KBUILD_BUILD_HOST: "hotpatch",
  };
  await mkdir(build, { recursive: true });
  await writeFile(join(build, ".config"), withoutSigning(config));
  const assignments = Object.entries(makeVariables).map(([name, value]) => `${name}=${value}`);
  // The person's own tree is somebody's code as well, and its makefiles run here.
  const confinement = { readable: [parts.source], writable: folder };
  const make = async (...targets: string[]) => {
    work.progress(`preparing the kernel's build (${targets.at(-1)})`);
    const command = ["make", "-C", parts.source, `O=${build}`, ...assignments, ...targets] as const;
    const { status, stderr } = await runConfined(work, command, confinement, { deadline: HOUR });
    if (status === 0) return;
    throw new Fault(
      "bad-input",
      `'make ${targets.at(-1)}' failed for ${parts.release}: ${reasonIn(stderr)}`,
      {
        remedy: "run 'hotpatch doctor' to see whether a build tool is missing",
        detail: stderr,
      },
    );
  };
  await make("olddefconfig");
  const prepared = parseConfig(await readFile(join(build, ".config"), "utf8"));
  await make(`-j${availableParallelism()}`, "modules_prepare");
  await copyFile(parts.moduleSymvers, join(build, "Module.symvers"));
  const { command, version, builtWith } = compiler;
  const emulated =
    parts.arch === "arm64" && compiler.crossCompile !== "" && !builtTheImage(compiler)
      ? await fetchEmulatedCompiler(work, builtWith, join(folder, "compiler")).catch((error: unknown) => {
          // Objects are then compared all the same; what the older compiler does otherwise is refused one by one.
          if (!(error instanceof Fault) || error.code !== "lacking") throw error;
          work.progress(`going on without the image's own compiler: ${error.message}`);
          return undefined;
        })
      : undefined;
  return {
    build,
    compiler: {
      command,
      version: emulated?.version ?? version,
      builtWith,
      ...(emulated && { cc1: emulated.folder }),
    },
    makeVariables,
    configDrift: configDrift(options, prepared),
  };
}

/** The assembler and linker of a kernel that Clang built (Documentation/kbuild/llvm.rst). */
function llvmTools(options: KernelConfig): Record<string, string> {
  if (options.get("CONFIG_CC_IS_CLANG") !== "y") return {};
  return {
    LLVM_IAS: options.get("CONFIG_AS_IS_LLVM") === "y" ? "1" : "0",
    ...(options.get("CONFIG_LD_IS_LLD") === "y" && { LD: "ld.lld" }),
  };
}

/** The line that says why, rather than make's own about which rule it was. */
function reasonIn(stderr: string): string {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "");
  const told = lines.find(
    (line) => !/^make\b/.test(line) && /error|not found|no such file|no space/i.test(line),
  );
  return told ?? lines.at(-1) ?? "make said nothing";
}

/**
 * Kconfig asks pahole for its version, and without one turns off DEBUG_INFO_BTF, which changes `struct module`
 * (init/Kconfig, PAHOLE_VERSION; scripts/pahole-version.sh). Nothing here generates BTF, so the version is enough.
 * @param version as CONFIG_PAHOLE_VERSION has it: 124 for v1.24, 0 for none
 */
async function standInPahole(folder: string, version: string): Promise<string> {
  const path = join(folder, "pahole");
  const [, major, minor] = /^(\d)(\d\d)$/.exec(version) ?? [];
  await writeFile(path, major ? `#!/bin/sh\necho v${major}.${minor}\n` : "#!/bin/sh\necho 0\n");
  await chmod(path, 0o755);
  return path;
}
