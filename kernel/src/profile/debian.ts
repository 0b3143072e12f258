import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { Fault } from "../host/fault.js";
import { runOk } from "../host/run.js";
import type { Work } from "../host/work.js";
import { fetchPackages, packageNames, packageStanzas, refreshIndex } from "./archive.js";
import { both } from "./both.js";
import type { KernelParts } from "./parts.js";
import type { Arch } from "./profile.js";
import { requireRoom } from "./room.js";
import { compareVersions, type Stanza } from "./stanzas.js";

/** A stock kernel in Debian's archive. */
export interface DebianKernel {
  /** `debian/6.1.0-56-amd64`. */
  readonly id: string;
  /** `6.1.0-56-amd64`. */
  readonly release: string;
  readonly arch: Arch;
  /** Version of the image's package, such as `6.1.192-2`. */
  readonly version: string;
  /** `linux-source-6.1`. */
  readonly sourcePackage: string;
  /** Version of the source that the image was built from. */
  readonly sourceVersion: string;
}

const DEBIAN_ARCH = { x86_64: "amd64", arm64: "arm64" } as const satisfies Record<Arch, string>;
const ARCH = { amd64: "x86_64", arm64: "arm64" } as const satisfies Record<string, Arch>;
type DebianArch = keyof typeof ARCH;
const BUSYBOX = "busybox-static";

/** What the unpacked packages and the prepared build folder of one kernel take, and the source beside them. */
const KERNEL_BYTES = 700e6;
const SOURCE_BYTES = 1900e6;

/**
 * The kernels for which the archive has image and source now; the 64-bit stock flavour only.
 * @returns newest source first
 * @throws Fault as `packageStanzas`
 */
export async function listDebianKernels(work: Work, arch: Arch): Promise<DebianKernel[]> {
  const debianArch = DEBIAN_ARCH[arch];
  const names = (await packageNames(work, "linux-image-")).filter((name) => {
    const release = name.slice("linux-image-".length);
    return (
      /^\d[^-]*-(\d+-)?[a-z0-9]+$/.test(release) &&
      /\.\d.*\./.test(release) &&
      release.endsWith(`-${debianArch}`)
    );
  });
  const images = await packageStanzas(
    work,
    names.map((name) => `${name}:${debianArch}`),
  );
  const kernels = images.map((image) => kernelOf(image)).filter((kernel) => kernel !== undefined);
  const sources = new Set(
    (await packageStanzas(work, [...new Set(kernels.map((kernel) => kernel.sourcePackage))])).map(
      (source) => `${source.get("Package")} ${source.get("Version")}`,
    ),
  );
  return kernels
    .filter((kernel) => sources.has(`${kernel.sourcePackage} ${kernel.sourceVersion}`))
    .sort(
      (a, b) => compareVersions(b.sourceVersion, a.sourceVersion) || compareVersions(b.version, a.version),
    );
}

/**
 * The newest source version and the one before it of the kernel line that is Debian's default for the architecture,
 * where the archive still has images of both.
 * @throws Fault as `packageStanzas`
 */
export async function newestPair(
  work: Work,
  arch: Arch,
): Promise<{ readonly older: DebianKernel; readonly newer: DebianKernel } | undefined> {
  const newest = await resolveDebianKernel(work, `debian/latest-${DEBIAN_ARCH[arch]}`);
  const line = (await listDebianKernels(work, arch)).filter(
    (kernel) => kernel.sourcePackage === newest.sourcePackage,
  );
  const newer = line[0];
  const older = line.find((kernel) => kernel.sourceVersion !== newer?.sourceVersion);
  return newer && older ? { older, newer } : undefined;
}

/**
 * Finds the kernel that an id names.
 * @param id `debian/<release>`, `debian/latest-amd64` or `debian/latest-arm64`; the latter are what Debian's
 *   metapackage `linux-image-<arch>` depends on now
 * @throws Fault `bad-input` when the archive has no such kernel, and as `packageStanzas`
 */
export async function resolveDebianKernel(work: Work, id: string): Promise<DebianKernel> {
  const release = id.slice("debian/".length);
  const debianArch = /-(amd64|arm64)$/.exec(release)?.[1] as DebianArch | undefined;
  if (!debianArch || !/^[A-Za-z0-9.+~-]+$/.test(release)) throw unknownKernel(id);
  if (/-rt-/.test(release)) {
    throw new Fault("bad-input", `${id} is built from more than linux-source holds (the real-time patches)`, {
      remedy: "use the stock kernel, or 'tree:PATH' with the patched source",
    });
  }
  const find = async () =>
    release === `latest-${debianArch}`
      ? await findLatest(work, debianArch)
      : await findImage(work, release, debianArch);
  const known = await find();
  if (known) return known;
  await refreshIndex(work);
  const found = await find();
  if (!found) throw unknownKernel(id);
  return found;
}

/**
 * Fetches and unpacks all that a profile is made of.
 * @param folder the profile's own, empty
 * @param source where the pristine source is, or is to be put
 * @throws Fault `bad-input` when a package is not in the archive, `lacking` without network or room
 */
export async function unpackDebianKernel(
  work: Work,
  kernel: DebianKernel,
  folder: string,
  source: string,
): Promise<KernelParts> {
  const { release, version } = kernel;
  const arch = DEBIAN_ARCH[kernel.arch];
  const sourceMissing = !existsSync(source);
  await requireRoom(work, KERNEL_BYTES + (sourceMissing ? SOURCE_BYTES : 0));
  const [image, headers, busybox, sourceArchive] = await fetchPackages(work, [
    { name: `linux-image-${release}`, arch, version },
    { name: `linux-headers-${release}`, arch, version },
    { name: BUSYBOX, arch },
    ...(sourceMissing
      ? [{ name: kernel.sourcePackage, arch: "amd64", version: kernel.sourceVersion } as const]
      : []),
  ]);
  if (!image || !headers || !busybox) throw new Fault("defect", "fewer packages than were asked for");

  work.progress(`unpacking linux-image-${release}${sourceArchive ? ` and ${kernel.sourcePackage}` : ""}`);
  const [parts] = await both(
    work,
    (shared) => unpackBinaries(shared, kernel, folder, { image, headers, busybox }),
    async (shared) => {
      if (sourceArchive) await unpackSource(shared, sourceArchive, kernel.sourcePackage, source);
    },
  );
  // Of no more use, and large; busybox is neither.
  for (const archive of [image, headers, sourceArchive]) if (archive) await rm(archive);
  return { ...parts, source, origin: `${kernel.sourcePackage} ${kernel.sourceVersion}` };
}

/**
 * Puts a static busybox for an architecture into `folder`.
 * @returns its path
 * @throws Fault as {@link fetchPackages}
 */
export async function fetchBusybox(work: Work, arch: Arch, folder: string): Promise<string> {
  const [archive] = await fetchPackages(work, [{ name: BUSYBOX, arch: DEBIAN_ARCH[arch] }]);
  if (!archive) throw new Fault("defect", "fewer packages than were asked for");
  return unpackBusybox(work, archive, folder);
}

async function unpackBusybox(work: Work, archive: string, folder: string): Promise<string> {
  const aside = join(folder, "busybox-static");
  await unpack(work, archive, aside);
  const busybox = join(folder, "busybox");
  await rename(join(aside, existsSync(join(aside, "bin")) ? "bin/busybox" : "usr/bin/busybox"), busybox);
  await rm(aside, { recursive: true });
  return busybox;
}

async function unpackBinaries(
  work: Work,
  { arch, release }: DebianKernel,
  folder: string,
  archives: { readonly image: string; readonly headers: string; readonly busybox: string },
): Promise<Omit<KernelParts, "source" | "origin">> {
  const unpacked = join(folder, "image");
  await unpack(work, archives.image, unpacked);
  const modules = await indexModules(work, unpacked, release);

  const aside = join(folder, "headers");
  await unpack(work, archives.headers, aside);
  const moduleSymvers = join(folder, "Module.symvers");
  await rename(join(aside, "usr/src", `linux-headers-${release}`, "Module.symvers"), moduleSymvers);
  await rm(aside, { recursive: true });
  return {
    arch,
    release,
    image: join(unpacked, "boot", `vmlinuz-${release}`),
    config: join(unpacked, "boot", `config-${release}`),
    moduleSymvers,
    modules,
    busybox: await unpackBusybox(work, archives.busybox, folder),
  };
}

/** The source's folder appears by renaming: while it has its name, it is whole. */
async function unpackSource(work: Work, archive: string, name: string, source: string): Promise<void> {
  const folder = dirname(source);
  await mkdir(folder, { recursive: true });
  for (const left of await readdir(folder)) {
    if (!left.startsWith(`${basename(source)}.partial-`)) continue;
    await rm(join(folder, left), { recursive: true, force: true, maxRetries: 10 });
  }
  const aside = await mkdtemp(`${source}.partial-`);
  await unpack(work, archive, join(aside, "package"));
  const tar = join(aside, "package/usr/src", `${name}.tar.xz`);
  await runOk(work, ["tar", "--extract", "--xz", "--no-same-owner", "--file", tar, "--directory", aside]);
  await rename(join(aside, name), source);
  await rm(aside, { recursive: true });
}

/**
 * Writes `modules.dep` and its like, which Debian leaves to the package's installation.
 * @returns the folder `lib/modules/<release>`
 */
async function indexModules(work: Work, unpacked: string, release: string): Promise<string> {
  // Since Debian 13 the modules are below usr/lib, where /lib points.
  if (!existsSync(join(unpacked, "lib"))) await symlink("usr/lib", join(unpacked, "lib"));
  await runOk(work, ["depmod", "--basedir", unpacked, release]);
  return join(unpacked, "lib/modules", release);
}

async function unpack(work: Work, archive: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await runOk(work, ["dpkg-deb", "--extract", archive, folder]);
}

async function findLatest(work: Work, arch: DebianArch): Promise<DebianKernel | undefined> {
  const [metapackage] = await packageStanzas(work, [`linux-image-${arch}:${arch}`]);
  const release = /^linux-image-(\S+)/.exec(metapackage?.get("Depends") ?? "")?.[1];
  return release === undefined ? undefined : findImage(work, release, arch);
}

async function findImage(work: Work, release: string, arch: DebianArch): Promise<DebianKernel | undefined> {
  const [image] = await packageStanzas(work, [`linux-image-${release}:${arch}`]);
  return image && kernelOf(image);
}

/** @returns undefined for what is no kernel image of an architecture of ours */
export function kernelOf(image: Stanza): DebianKernel | undefined {
  const release = /^linux-image-(\d.*-(?:amd64|arm64))$/.exec(image.get("Package") ?? "")?.[1];
  const arch = image.get("Architecture");
  const version = image.get("Version");
  if (release === undefined || version === undefined || (arch !== "amd64" && arch !== "arm64"))
    return undefined;
  // A signed image is built from the unsigned one; this field is where it says of which source that was.
  const sourceVersion =
    /(?:^|, )linux(?:-\d+\.\d+)? \(= ([^)]+)\)/.exec(image.get("Built-Using") ?? "")?.[1] ?? version;
  const line = /^(?:\d+:)?(\d+\.\d+)/.exec(sourceVersion)?.[1];
  if (line === undefined) return undefined;
  return {
    id: `debian/${release}`,
    release,
    arch: ARCH[arch],
    version,
    sourcePackage: `linux-source-${line}`,
    sourceVersion,
  };
}

function unknownKernel(id: string): Fault {
  return new Fault("bad-input", `Debian's archive has no kernel ${id}`, {
    remedy: "'hotpatch kernel list --available' shows what there is",
  });
}
