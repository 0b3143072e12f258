import { readFile } from "node:fs/promises";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { checkpoint, type Work } from "@kernel-hotpatch/kernel/host/work";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { bestAccelerator } from "@kernel-hotpatch/kernel/sandbox/accelerator";
import { type Complaint, complaintKey, complaints } from "@kernel-hotpatch/kernel/sandbox/console";
import { type CpioEntry, cpioArchive } from "@kernel-hotpatch/kernel/sandbox/cpio";
import { baseSystem, guestScript } from "@kernel-hotpatch/kernel/sandbox/initramfs";
import { modulesInOrder } from "@kernel-hotpatch/kernel/sandbox/kernel-modules";
import { type KtapResult, parseKtap } from "@kernel-hotpatch/kernel/sandbox/ktap";
import { bootGuest } from "@kernel-hotpatch/kernel/sandbox/qemu";

/** A patch module to be loaded and removed again. */
export interface Loadable {
  /** Tells it from all others; of letters, digits, `-` and `_`. */
  readonly id: string;
  readonly path: string;
  /** Name under /sys/module. */
  readonly module: string;
  /** What it patches: `vmlinux` and modules' names. */
  readonly objects: readonly string[];
}

/** What a booted kernel did with a patch module. */
export interface Loaded {
  readonly id: string;
  /** The modules that it patches were there, so that it took effect. */
  readonly targets: boolean;
  readonly load: boolean;
  readonly transition: boolean;
  readonly unload: boolean;
  /** What the kernel complained of while it was loaded; the first line of each. */
  readonly complaints: readonly string[];
  /** What failed steps printed, and how the guest ended when it ended too early. */
  readonly words: readonly string[];
}

const IN_ONE_GUEST = 25;
const PATIENCE = 30;

/**
 * Loads, disables and removes patch modules, many in one guest, one after the other. After a guest that ended too early,
 * the rest goes on in a fresh one.
 * @returns in the order of `all`
 * @throws Fault as `bootGuest`
 */
export async function loadAll(
  work: Work,
  profile: KernelProfile,
  all: readonly Loadable[],
): Promise<Loaded[]> {
  const results: Loaded[] = [];
  for (let left = [...all]; left.length > 0; left = all.slice(results.length)) {
    checkpoint(work);
    work.progress(`booting, with ${left.length} patches to come`);
    const done = await loadInGuest(work, profile, left.slice(0, IN_ONE_GUEST));
    results.push(...done);
  }
  return results;
}

/** @returns of the first patches, at least of one */
async function loadInGuest(
  work: Work,
  profile: KernelProfile,
  batch: readonly Loadable[],
): Promise<Loaded[]> {
  const targets = await Promise.all(
    batch.map(({ objects }) =>
      modulesInOrder(
        work,
        profile.modules,
        objects.filter((object) => object !== "vmlinux"),
      ),
    ),
  );
  const files = new Map(targets.flat().map(({ name, content }) => [name, content]));
  const guest = await bootGuest(work, {
    arch: profile.arch,
    image: profile.image,
    accelerator: await bestAccelerator(work, profile),
    memory: 1024,
    initramfs: cpioArchive([
      ...baseSystem(await readFile(profile.busybox), await guestScript("prove.sh")),
      text("plan", { batch: batch.map(({ id }) => id).join(" "), patience: PATIENCE, steps: batch.length }),
      { kind: "directory", path: "modules" },
      ...[...files].map(([name, content]): CpioEntry => ({ kind: "file", path: `modules/${name}`, content })),
      { kind: "directory", path: "batch" },
      ...(await Promise.all(batch.map((one, at) => entries(one, targets[at] ?? [])))).flat(),
    ]),
    kernelArguments: ["softlockup_panic=1", "watchdog_thresh=10"],
    deadline: 120 + batch.length * 4 * PATIENCE,
    silence: 30 + 2 * PATIENCE,
  });
  const results = parseKtap(guest.protocol.toString())?.results ?? [];
  const all = complaints(guest.console);
  const seen = new Set<string>();
  const done: Loaded[] = [];
  for (const [at, { id }] of batch.entries()) {
    const result = results[at];
    const own = all.filter(({ step }) => step === id || step.startsWith(`${id}: `)).filter(isNew(seen));
    if (result) done.push(loaded(id, result, own));
    else {
      const words = [`the guest ended (${guest.end}) during '${id}'`, ...guest.console.split("\n").slice(-5)];
      done.push({ ...loaded(id, undefined, own), words });
      break;
    }
  }
  if (done.length === 0) throw new Fault("defect", "the guest reported nothing", { detail: guest.console });
  return done;
}

/** Leaves out what the kernel complained of before, and what loading the patched module itself causes. */
function isNew(seen: Set<string>): (complaint: Complaint) => boolean {
  return (complaint) => {
    const key = complaintKey(complaint);
    const isKnown = seen.has(key) || complaint.step.endsWith(": targets");
    seen.add(key);
    return !isKnown;
  };
}

function loaded(id: string, result: KtapResult | undefined, own: readonly Complaint[]): Loaded {
  const steps = result?.subtests ?? [];
  const passed = (name: string) => steps.find((step) => step.name === name)?.outcome === "passed";
  return {
    id,
    targets: passed("targets"),
    load: passed("load"),
    transition: passed("transition"),
    unload: passed("disable") && passed("unload"),
    complaints: own.map(({ title }) => title),
    words: steps
      .filter(({ outcome }) => outcome === "failed")
      .flatMap(({ name, remark, diagnostics }) => [`${name}: ${remark}`, ...diagnostics]),
  };
}

async function entries(
  { id, path, module }: Loadable,
  targets: readonly { readonly name: string }[],
): Promise<CpioEntry[]> {
  const modules = targets.map(({ name }) => name).join(" ");
  return [
    { kind: "directory", path: `batch/${id}` },
    { kind: "file", path: `batch/${id}/patch.ko`, content: await readFile(path) },
    text(`batch/${id}/plan`, { module, control: `/sys/kernel/livepatch/${module}`, modules }),
  ];
}

function text(path: string, values: Readonly<Record<string, string | number>>): CpioEntry {
  const lines = Object.entries(values).map(([name, value]) => `${name}='${value}'\n`);
  return { kind: "file", path, content: Buffer.from(lines.join("")) };
}
