import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { checkpoint, type Work } from "@kernel-hotpatch/kernel/host/work";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { bestAccelerator } from "@kernel-hotpatch/kernel/sandbox/accelerator";
import { complaints, consoleDuring } from "@kernel-hotpatch/kernel/sandbox/console";
import { type CpioEntry, cpioArchive } from "@kernel-hotpatch/kernel/sandbox/cpio";
import { baseSystem, guestScript } from "@kernel-hotpatch/kernel/sandbox/initramfs";
import { modulesInOrder } from "@kernel-hotpatch/kernel/sandbox/kernel-modules";
import { type KtapResult, parseKtap } from "@kernel-hotpatch/kernel/sandbox/ktap";
import { bootGuest, type GuestEnd } from "@kernel-hotpatch/kernel/sandbox/qemu";

/** A patch module to be loaded and removed again. */
export interface Loadable {
  /** Tells it from all others; of letters, digits, `-` and `_`. */
  readonly id: string;
  readonly path: string;
  /** Of the file. */
  readonly sha256: string;
  /** Name under /sys/module. */
  readonly module: string;
  /** What it patches: `vmlinux` and modules' names. */
  readonly objects: readonly string[];
}

/** What a booted kernel did with a patch module. */
export interface Loaded {
  readonly id: string;
  /** Whether the modules that it patches were there, so that it took effect. */
  readonly targets: "built in" | "loaded" | "not loaded";
  readonly load: boolean;
  readonly transition: boolean;
  /** A few ordinary programs ran while it was in. */
  readonly exercise: boolean;
  /** Disabled, and removed. */
  readonly unload: boolean;
  /** What the kernel said while it was in, but for what it says of every live patch. */
  readonly log: readonly string[];
  /** What failed steps printed, and how the guest ended when it ended too early. */
  readonly words: readonly string[];
  /** This is the second try, alone in a guest: what was said at the first, among others. */
  readonly firstTry?: readonly string[];
}

const IN_ONE_GUEST = 25;
/** Seconds; large modules take their time on an emulated machine that shares its processors. */
const PATIENCE = 120;
/** The steps of each patch, in order (`one` of runtime/guest/prove.sh). */
const STEPS = ["targets", "load", "transition", "exercise", "disable", "unload"];

/** Whether all went as it should. */
export function isGood({ load, transition, exercise, unload, log }: Loaded): boolean {
  return load && transition && exercise && unload && log.length === 0;
}

/**
 * Loads, disables and removes patch modules, many in one guest, one after the other. After a guest that ended too early,
 * a fresh one goes on with the patch that it ended in: only a patch that ends a guest by itself is to blame. A module to
 * be patched that does so when it is loaded is left out. What did not go well is tried once more, alone: a machine that
 * others use too may have been slow, and what one patch does shows in the log of the next. What went well is kept in the
 * cache.
 * @returns as they come, those known before first, those tried twice last
 * @throws Fault as `bootGuest`
 */
export async function* loadAll(
  work: Work,
  profile: KernelProfile,
  all: readonly Loadable[],
): AsyncGenerator<Loaded> {
  const known = await openKnown(work, profile);
  const left: Loadable[] = [];
  for (const one of all) {
    const before = await known.find(one);
    if (before) yield before;
    else left.push(one);
  }
  const withoutTargets = new Set<string>();
  const again: { one: Loadable; firstTry: readonly string[] }[] = [];
  while (left.length > 0) {
    checkpoint(work);
    work.progress(`booting, with ${left.length} patches to come`);
    const { done, ended } = await loadInGuest(work, profile, left.slice(0, IN_ONE_GUEST), withoutTargets);
    for (const loaded of done) {
      const one = left.shift();
      if (one === undefined) continue;
      if (!isGood(loaded)) again.push({ one, firstTry: [...loaded.words, ...loaded.log] });
      else {
        await known.keep(one, loaded);
        yield loaded;
      }
    }
    if (ended === undefined || done.length > 0) continue;
    if (ended.step === "targets") withoutTargets.add(ended.loaded.id);
    else {
      const one = left.shift();
      if (one) again.push({ one, firstTry: ended.loaded.words });
    }
  }
  for (const { one, firstTry } of again) {
    checkpoint(work);
    work.progress(`booting once more, for ${one.id} alone`);
    const { done, ended } = await loadInGuest(work, profile, [one], withoutTargets);
    const loaded = done[0] ?? ended?.loaded;
    if (loaded) yield { ...loaded, firstTry };
  }
}

export interface GuestResult {
  /** Of the first patches. */
  readonly done: readonly Loaded[];
  /** The patch after them, if the guest ended in it. */
  readonly ended?: { readonly loaded: Loaded; readonly step: string };
}

async function loadInGuest(
  work: Work,
  profile: KernelProfile,
  batch: readonly Loadable[],
  withoutTargets: ReadonlySet<string>,
): Promise<GuestResult> {
  const targets = await Promise.all(
    batch.map(({ id, objects }) =>
      modulesInOrder(
        work,
        profile.modules,
        withoutTargets.has(id) ? [] : objects.filter((object) => object !== "vmlinux"),
      ),
    ),
  );
  const files = new Map(targets.flat().map(({ name, content }) => [name, content]));
  const guest = await bootGuest(work, {
    arch: profile.arch,
    image: profile.image,
    accelerator: await bestAccelerator(work, profile),
    memory: 1536,
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
  return resultOf(batch, withoutTargets, guest);
}

/** What the patches of a batch did, by what the guest wrote on its two ports. */
export function resultOf(
  batch: readonly Loadable[],
  withoutTargets: ReadonlySet<string>,
  guest: GuestEnd,
): GuestResult {
  const protocol = guest.protocol.toString();
  const results = parseKtap(protocol)?.results ?? [];
  const done = batch
    .slice(0, results.length)
    .map((one, at) => loadedOf(one, withoutTargets, results[at]?.subtests ?? [], guest));
  const next = batch[results.length];
  if (next === undefined) return { done };
  const begun = [...protocol.matchAll(/^ *# begin (.*?)\r?$/gm)].at(-1)?.[1];
  if (begun === undefined)
    throw new Fault("defect", "the guest reported nothing", { detail: guest.console.slice(-4000) });
  const step = begun.slice(`${next.id}: `.length);
  const loaded = loadedOf(next, withoutTargets, [], guest);
  return {
    done,
    ended: { step, loaded: { ...loaded, words: [`the guest ended (${guest.end}) in '${step}'`] } },
  };
}

function loadedOf(
  { id, objects }: Loadable,
  withoutTargets: ReadonlySet<string>,
  steps: readonly KtapResult[],
  { console }: GuestEnd,
): Loaded {
  const passed = (name: string) => steps.find((step) => step.name === name)?.outcome === "passed";
  const isThere = passed("targets") && !withoutTargets.has(id);
  return {
    id,
    targets: objects.every((name) => name === "vmlinux") ? "built in" : isThere ? "loaded" : "not loaded",
    load: passed("load"),
    transition: passed("transition"),
    exercise: passed("exercise"),
    unload: passed("disable") && passed("unload"),
    log: STEPS.slice(1).flatMap((step) => unexpected(console, `${id}: ${step}`)),
    words: steps
      .filter(({ name, outcome }) => outcome === "failed" && name !== "targets")
      .flatMap(({ name, remark, diagnostics }) => [
        `${name}: ${remark}`,
        ...diagnostics.filter((line) => line.startsWith("| ")),
      ]),
  };
}

/**
 * What is said of every live patch that is not signed (kernel/module, kernel/livepatch), and by any machine whose
 * processors are shared (kernel/time/clocksource.c, arch/x86/kernel/tsc.c, kernel/time/hrtimer.c).
 */
const EXPECTED = [
  /^livepatch: (enabling patch|'\S+': (starting|completing) (patching|unpatching) transition|'\S+': (patching|unpatching) complete)/,
  /^\S+: (tainting kernel with TAINT_LIVEPATCH|loading out-of-tree module taints kernel|module verification failed: signature and\/or required key missing)/,
  /^random: crng init done$/,
  /^clocksource: (timekeeping watchdog on CPU\d+: |wd-\S+-wd read-back delay|Long readout interval|Checking clocksource|Switched to clocksource)/,
  /^tsc: Marking TSC unstable due to clocksource watchdog$|^TSC found unstable after boot|^sched_clock: Marking unstable/,
  /^hrtimer: interrupt took \d+ ns$/,
];

/** Of a complaint its first line; else each line that is not expected. */
function unexpected(console: string, step: string): string[] {
  const own = consoleDuring(console, step);
  const found = complaints(own.join("\n")).map(({ title }) => title);
  return found.length > 0 ? found : own.filter((line) => !EXPECTED.some((pattern) => pattern.test(line)));
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

/** What is known of modules, from earlier runs. */
interface Known {
  find(one: Loadable): Promise<Loaded | undefined>;
  keep(one: Loadable, loaded: Loaded): Promise<void>;
}

/** Void when the kernel, the guest's script or what is expected changes. */
async function openKnown(work: Work, { id, release, image }: KernelProfile): Promise<Known> {
  const state = createHash("sha256").update(JSON.stringify([id, release, image]));
  state.update(await guestScript("prove.sh")).update(EXPECTED.join("\n"));
  const folder = join(work.cache, "eval", "loads", state.digest("hex").slice(0, 16));
  await mkdir(folder, { recursive: true });
  const place = (one: Loadable) => join(folder, one.sha256);
  return {
    find: async (one) => {
      const kept = await readFile(place(one), "utf8").catch(() => undefined);
      return kept === undefined ? undefined : { ...(JSON.parse(kept) as Loaded), id: one.id };
    },
    keep: async (one, loaded) => {
      await writeFile(`${place(one)}.new`, JSON.stringify(loaded));
      await rename(`${place(one)}.new`, place(one));
    },
  };
}
