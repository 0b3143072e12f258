import { access, constants, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "../host/fault.js";
// biome-ignore lint/style/noRestrictedImports: asks QEMU for its version.
import { runOk } from "../host/run.js";
import type { Work } from "../host/work.js";
import type { Arch } from "../profile/profile.js";
import { type BootableKernel, bareBoot } from "./bare-boot.js";
import { type Accelerator, qemuBinary } from "./qemu.js";

/** KVM where it is proven to work, else emulation. */
export async function bestAccelerator(work: Work, kernel: BootableKernel): Promise<Accelerator> {
  return (await provenKvm(work, kernel)) ? "kvm" : "emulation";
}

/** Node's names of the processors whose KVM runs guests of each architecture. */
const HOSTS: Readonly<Record<Arch, NodeJS.Architecture>> = { x86_64: "x64", arm64: "arm64" };

/**
 * Whether KVM boots this kernel here. A `/dev/kvm` that opens proves nothing (nested and hardened hosts have some that
 * leave the guest spinning), so the kernel is booted once; the answer is kept until the machine or QEMU changes.
 * Takes 3 s when KVM does not work, less when it does, and no time when the answer is known.
 * @throws Fault `lacking` without QEMU, `interrupted`
 */
export async function provenKvm(work: Work, kernel: BootableKernel): Promise<boolean> {
  if (process.arch !== HOSTS[kernel.arch] || !(await usable("/dev/kvm"))) return false;
  const [version = ""] = (await runOk(work, [qemuBinary(kernel.arch), "--version"])).split("\n");
  const bootId = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  const machine = `${bootId} ${version}`;

  const path = join(work.cache, `kvm-${kernel.arch}.json`);
  const known = await answerIn(path);
  if (known?.machine === machine) return known.works;
  work.progress("trying KVM");
  const works = await tryKvm(work, kernel);
  await mkdir(work.cache, { recursive: true });
  const aside = `${path}.${process.pid}`;
  await writeFile(aside, `${JSON.stringify({ machine, works } satisfies Answer)}\n`);
  await rename(aside, path);
  return works;
}

interface Answer {
  readonly machine: string;
  readonly works: boolean;
}

/** The kept answer; none when there is none, or what is there cannot be read. */
async function answerIn(path: string): Promise<Answer | undefined> {
  try {
    const { machine, works } = JSON.parse(await readFile(path, "utf8"));
    return typeof machine === "string" && typeof works === "boolean" ? { machine, works } : undefined;
  } catch {
    return undefined;
  }
}

async function tryKvm(work: Work, kernel: BootableKernel): Promise<boolean> {
  try {
    return (await bareBoot(work, kernel, "kvm", { deadline: 15, silence: 3 })).booted;
  } catch (error) {
    // QEMU's own refusal, such as a processor feature that this KVM lacks.
    if (error instanceof Fault && error.code === "bad-input") return false;
    throw error;
  }
}

async function usable(path: string): Promise<boolean> {
  return access(path, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
}
