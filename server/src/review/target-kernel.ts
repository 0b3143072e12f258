import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { listProfiles, loadProfile } from "@kernel-hotpatch/kernel/profile/store";

const LATEST_HERE = process.arch === "arm64" ? "debian/latest-arm64" : "debian/latest-amd64";

/**
 * The kernel to patch: the one named; else the only one added; else the newest stock kernel of this machine's
 * architecture, if it was added.
 * @param named what `--kernel` said
 * @throws Fault `bad-input` when it was not added, or none was
 */
export async function targetKernel(work: Work, named: string | undefined): Promise<KernelProfile> {
  if (named !== undefined) return loadProfile(work, named);
  const profiles = await listProfiles(work.cache);
  const [first, ...others] = profiles;
  if (!first)
    throw new Fault("bad-input", "no kernel has been added yet", {
      remedy: `run 'hotpatch kernel add ${LATEST_HERE}'`,
    });
  if (others.length === 0) return first;
  const latest = await loadProfile(work, LATEST_HERE).catch((error: unknown) => {
    if (error instanceof Fault && error.code === "interrupted") throw error;
    return undefined;
  });
  if (latest) return latest;
  throw new Fault("bad-input", `there are ${profiles.length} kernels: name one with --kernel`, {
    remedy: `one of ${profiles.map((profile) => profile.id).join(", ")}`,
  });
}
