import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { withLock } from "@kernel-hotpatch/kernel/host/lock";
import { runOk } from "@kernel-hotpatch/kernel/host/run";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import { fetchPackages } from "@kernel-hotpatch/kernel/profile/archive";
import {
  type DebianKernel,
  listDebianKernels,
  resolveDebianKernel,
} from "@kernel-hotpatch/kernel/profile/debian";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { addProfile } from "@kernel-hotpatch/kernel/profile/store";

/** An older kernel, whole, and the C files and headers of a newer one's source. */
export interface Pair {
  readonly older: KernelProfile;
  readonly newer: { readonly id: string; readonly source: string };
}

/**
 * Fetches what the labelled set is made from.
 * @param from id of the older kernel, `to` of the newer; by default {@link neighbours} are looked for in the archive
 * @throws Fault `bad-input` when the archive has no such kernels, and as `addProfile`
 */
export async function fetchPair(work: Work, from?: string, to?: string): Promise<Pair> {
  const [older, newer] =
    from !== undefined && to !== undefined
      ? [from, await resolveDebianKernel(work, to)]
      : await chosen(work, from, to);
  return { older: await addProfile(work, older), newer: await fetchSource(work, newer) };
}

async function chosen(
  work: Work,
  from: string | undefined,
  to: string | undefined,
): Promise<[string, DebianKernel]> {
  const latest = await resolveDebianKernel(work, "debian/latest-amd64");
  const line = (await listDebianKernels(work, latest.arch)).filter(
    ({ sourcePackage }) => sourcePackage === latest.sourcePackage,
  );
  const found = neighbours(line);
  if (found === undefined)
    throw new Fault("bad-input", `the archive has too few versions of ${latest.sourcePackage}`, {
      remedy: "name two kernels with --from and --to",
    });
  return [from ?? found.older.id, to === undefined ? found.newer : await resolveDebianKernel(work, to)];
}

/**
 * The newest two neighbours that are not the newest pair. Versions count by what upstream released: between Debian's
 * own revisions of one release (6.1.192-1, 6.1.192-2) hardly a file differs.
 * @param kernels of one source package, newest first
 */
export function neighbours<K extends Pick<DebianKernel, "sourceVersion">>(
  kernels: readonly K[],
): { readonly older: K; readonly newer: K } | undefined {
  const releases = new Map<string, K>();
  for (const kernel of kernels) {
    const release = kernel.sourceVersion.replace(/-[^-]*$/, "");
    if (!releases.has(release)) releases.set(release, kernel);
  }
  const [, newer, older] = [...releases.values()];
  return older && newer && { older, newer };
}

/** Unpacks the C files and headers of a source package; a case takes nothing else of the newer side. */
async function fetchSource(work: Work, kernel: DebianKernel): Promise<Pair["newer"]> {
  const { sourcePackage, sourceVersion: version } = kernel;
  const name = `${sourcePackage}_${version}`;
  const whole = join(work.cache, "sources", name);
  if (existsSync(whole)) return { id: kernel.id, source: whole };
  const folder = join(work.cache, "eval", "sources");
  const source = join(folder, `${name}-c-and-h`);
  await mkdir(folder, { recursive: true });
  await withLock(work, join(folder, "lock"), "a source is being unpacked", async () => {
    if (existsSync(source)) return;
    for (const left of await readdir(folder))
      if (left.startsWith("partial-")) await rm(join(folder, left), { recursive: true, force: true });
    const [archive] = await fetchPackages(work, [{ name: sourcePackage, arch: "amd64", version }]);
    if (archive === undefined) throw new Fault("defect", `${basename(name)} was not fetched`);
    work.progress(`unpacking ${name}`);
    const aside = await mkdtemp(join(folder, "partial-"));
    await runOk(work, ["dpkg-deb", "--extract", archive, join(aside, "package")]);
    const tar = join(aside, "package/usr/src", `${sourcePackage}.tar.xz`);
    const only = ["--wildcards", `${sourcePackage}/*.[ch]`];
    await runOk(work, ["tar", "--extract", "--xz", "--file", tar, "--directory", aside, ...only]);
    await rename(join(aside, sourcePackage), source);
    await rm(aside, { recursive: true });
    await rm(archive);
  });
  return { id: kernel.id, source };
}
