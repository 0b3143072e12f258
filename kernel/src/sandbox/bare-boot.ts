import { readFile } from "node:fs/promises";
import type { Work } from "../host/work.js";
import type { Arch } from "../profile/profile.js";
import { cpioArchive } from "./cpio.js";
import { baseSystem, guestScript } from "./initramfs.js";
import { type Accelerator, bootGuest, type GuestEnd } from "./qemu.js";

/** What is needed to boot a kernel. */
export interface BootableKernel {
  readonly arch: Arch;
  readonly image: string;
  readonly busybox: string;
}

/**
 * Boots a kernel to a shell and powers it off: what any sandbox run costs at least.
 * @param limits seconds, as in `Guest`
 * @returns `booted` says whether the shell ran
 * @throws Fault as `bootGuest` does
 */
export async function bareBoot(
  work: Work,
  kernel: BootableKernel,
  accelerator: Accelerator,
  limits: { readonly deadline: number; readonly silence?: number } = { deadline: 120 },
): Promise<GuestEnd & { readonly booted: boolean }> {
  const init = await guestScript("bare.sh");
  const guest = await bootGuest(work, {
    ...kernel,
    ...limits,
    accelerator,
    initramfs: cpioArchive(baseSystem(await readFile(kernel.busybox), init)),
  });
  return { ...guest, booted: guest.protocol.toString().trim() === "booted" };
}
