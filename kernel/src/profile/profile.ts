import { dirname, isAbsolute } from "node:path";

/** Architectures by the names that QEMU's and the kernel's documentation share with people. */
export type Arch = "x86_64" | "arm64";

/** One target kernel, completely on disk. All paths are absolute; none is ever written after the profile exists. */
export interface KernelProfile {
  readonly schemaVersion: 1;
  /** `debian/6.1.0-56-amd64` or `tree:PATH`; what `--kernel` takes. */
  readonly id: string;
  readonly arch: Arch;
  /** What `uname -r` says on that kernel. */
  readonly release: string;
  /** Bootable image: bzImage or arm64 Image (possibly compressed, as packaged). */
  readonly image: string;
  /** The image's own configuration. */
  readonly config: string;
  readonly moduleSymvers: string;
  /** Pristine source tree that the image was built from. */
  readonly source: string;
  /** Kbuild output folder (`make O=`) after `modules_prepare`, for exactly `release`. */
  readonly build: string;
  /** The folder `lib/modules/<release>` with `modules.dep` and `kernel/**.ko[.xz]`. */
  readonly modules: string;
  /** `/proc/kallsyms` of a boot without address randomisation, modules excluded. */
  readonly symbolTable: string;
  /** Static busybox for the guest. */
  readonly busybox: string;
  readonly compiler: {
    /** Value for `CC=`, such as `gcc-12` or `aarch64-linux-gnu-gcc-12`. */
    readonly command: string;
    /** First line of `--version` on this machine. */
    readonly version: string;
    /** `CONFIG_CC_VERSION_TEXT` of the image. */
    readonly builtWith: string;
    /** Folder with the compiler proper that built the image, for gcc's `-B`, where it has to be emulated. */
    readonly cc1?: string;
  };
  /** Variables for every `make` in this profile: `ARCH`, `CROSS_COMPILE`, `CC`, `HOSTCC`, `KERNELRELEASE`, `PAHOLE`, … */
  readonly makeVariables: Readonly<Record<string, string>>;
  /** Options whose value in `build/.config` differs from the image's configuration and matter to code; empty when none. */
  readonly configDrift: readonly string[];
  /** Where it came from, such as `linux-source-6.1 6.1.192-2`; the tree's commit for `tree:`. */
  readonly origin: string;
}

/** Everything that a compile or a build for this kernel reads, beside what the system has. */
export function foldersOf({ source, build, compiler }: KernelProfile): string[] {
  // A toolchain named by its path, such as /opt/toolchain/bin/aarch64-linux-gnu-gcc, has its parts beside `bin`.
  const toolchain = isAbsolute(compiler.command) ? [dirname(dirname(compiler.command))] : [];
  // The emulated compiler and the stand-in for pahole are beside the build folder.
  return [source, dirname(build), ...toolchain];
}
