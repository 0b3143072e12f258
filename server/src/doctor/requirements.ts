import type { Arch } from "@kernel-hotpatch/kernel/profile/profile";

/** Something on the machine that a review needs. */
export interface Requirement {
  readonly name: string;
  /** `all` kernels, or only those of one architecture. */
  readonly kernels: "all" | Arch;
  readonly purpose: string;
  /** Debian's package. */
  readonly package: string;
  /** A program and the option that prints its version, or a file. */
  readonly look: { readonly program: string; readonly version: string } | { readonly file: string };
}

/**
 * What a Debian machine must have, in the order in which a review uses it.
 * @param host the machine's own architecture: kernels of another one need a cross compiler
 */
export function requirements(host: Arch): Requirement[] {
  return [
    ...programsForAll.map(([name, debianPackage, purpose]) =>
      requiredProgram(name, "all", debianPackage, purpose),
    ),
    {
      name: "libelf headers",
      kernels: "all",
      purpose: "builds the kernel's objtool",
      package: "libelf-dev",
      look: { file: "/usr/include/libelf.h" },
    },
    {
      name: "OpenSSL headers",
      kernels: "all",
      purpose: "prepares the kernel's build",
      package: "libssl-dev",
      look: { file: "/usr/include/openssl/ssl.h" },
    },
    ...(["x86_64", "arm64"] as const).flatMap((arch) => {
      const { triplet, compilerPackage, qemu, qemuPackage } = perArch[arch];
      return [
        ...(arch === host
          ? []
          : [requiredProgram(`${triplet}-gcc`, arch, compilerPackage, `compiles for ${arch}`)]),
        requiredProgram(qemu, arch, qemuPackage, `boots ${arch} kernels in the sandbox`),
      ];
    }),
  ];
}

const programsForAll = [
  ["apt-get", "apt", "finds and fetches stock kernels"],
  ["dpkg-deb", "dpkg", "unpacks stock kernels"],
  ["tar", "tar", "unpacks sources"],
  ["xz", "xz-utils", "unpacks sources and modules"],
  ["depmod", "kmod", "indexes modules"],
  ["setpriv", "util-linux", "ends every program with us"],
  ["flock", "util-linux", "keeps two runs apart"],
  ["unshare", "util-linux", "confines builds"],
  ["git", "git", "applies patches"],
  ["make", "make", "prepares the kernel's build"],
  ["gcc", "gcc", "compiles"],
  ["flex", "flex", "prepares the kernel's build"],
  ["bison", "bison", "prepares the kernel's build"],
  ["bc", "bc", "prepares the kernel's build"],
] as const;

const perArch = {
  x86_64: {
    triplet: "x86_64-linux-gnu",
    compilerPackage: "gcc-x86-64-linux-gnu",
    qemu: "qemu-system-x86_64",
    qemuPackage: "qemu-system-x86",
  },
  arm64: {
    triplet: "aarch64-linux-gnu",
    compilerPackage: "gcc-aarch64-linux-gnu",
    qemu: "qemu-system-aarch64",
    qemuPackage: "qemu-system-arm",
  },
} as const satisfies Record<Arch, Record<string, string>>;

function requiredProgram(
  name: string,
  kernels: Requirement["kernels"],
  debianPackage: string,
  purpose: string,
): Requirement {
  return { name, kernels, purpose, package: debianPackage, look: { program: name, version: "--version" } };
}
