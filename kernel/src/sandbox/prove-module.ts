import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { PatchModule } from "../build/build.js";
import { Fault } from "../host/fault.js";
import type { Work } from "../host/work.js";
import type { Observation } from "../observation.js";
import type { KernelProfile } from "../profile/profile.js";
import {
  type Complaint,
  complaintKey,
  complaintObservation,
  complaints,
  consoleDuring,
  DEADLY,
} from "./console.js";
import { type CpioEntry, cpioArchive } from "./cpio.js";
import { diskImage } from "./disk-image.js";
import { baseSystem, guestScript } from "./initramfs.js";
import { type KernelModule, modulesInOrder } from "./kernel-modules.js";
import { type KtapReport, type KtapResult, parseKtap } from "./ktap.js";
import { readModule } from "./module-file.js";
import { type Accelerator, bootGuest, type GuestEnd } from "./qemu.js";
import type { SandboxRun, SandboxStep } from "./sandbox-run.js";
import type { SandboxTest } from "./sandbox-test.js";

/** What is to be proven, and how hard to try. */
export interface Proof {
  /** What the build made, or the path of a `patch.ko`. */
  readonly module: PatchModule | string;
  readonly tests: readonly SandboxTest[];
  readonly accelerator: Accelerator;
  /** How often the patch is loaded and removed; 2 when absent. */
  readonly cycles?: number;
  /** Seconds for each transition, and for loading and removing; 30 when absent, twice what livepatch waits to nudge tasks. */
  readonly patience?: number;
  /** Seconds of wall time for one guest; what the tests may take in all, and something for the rest, when absent. */
  readonly deadline?: number;
  /** Processors of the guest; 1 when absent. */
  readonly cpus?: number;
}

/** How each back end is driven from user space. */
const BACKENDS: Readonly<Record<PatchModule["backend"], { readonly control: string }>> = {
  // Documentation/ABI/testing/sysfs-kernel-livepatch
  livepatch: { control: "/sys/kernel/livepatch" },
  // kernel/runtime/ftrace/core/sysfs.c
  ftrace: { control: "/sys/kernel/hotpatch" },
};

/**
 * Boots the profile's kernel and watches what a patch module does to it: the tests without it, loading, the end of the
 * transition, the tests with it, loading and removing again and again, removing, the tests without it once more.
 * A test during which the unpatched kernel dies has shown the bug; a second guest then takes the steps with the patch.
 * @returns what happened, a guest that panicked or hung included
 * @throws Fault `bad-input` for a module that is not this kernel's, or a test that asks for what does not exist;
 *   `lacking` without QEMU; `interrupted`
 */
export async function proveModule(work: Work, profile: KernelProfile, proof: Proof): Promise<SandboxRun> {
  const prepared = await prepare(work, profile, proof);
  const first = await attempt(work, profile, proof, prepared, COMPARE);
  const death = deathBeforeLoad(first);
  if (death === undefined) return runOf(proof, prepared, [first]);
  work.progress("the unpatched kernel dies in the test; starting again with the patch");
  const second = await attempt(work, profile, proof, prepared, `the unpatched kernel dies in '${death}'`);
  return runOf(proof, prepared, [first, second]);
}

const COMPARE = "yes";

interface Prepared {
  readonly name: string;
  readonly backend: PatchModule["backend"];
  /** Everything for the guest but its plan. */
  readonly entries: readonly CpioEntry[];
  readonly modules: readonly string[];
}

async function prepare(work: Work, profile: KernelProfile, proof: Proof): Promise<Prepared> {
  const path = typeof proof.module === "string" ? proof.module : proof.module.path;
  const patch = await readModule(path, profile);
  const names = new Set(proof.tests.map(({ name }) => name));
  if (names.size !== proof.tests.length) throw new Fault("bad-input", "two tests have the same name");

  const disks = proof.tests.flatMap(({ disk }) => (disk ? [disk] : []));
  const patched =
    typeof proof.module === "string" ? [] : proof.module.objects.filter((name) => name !== "vmlinux");
  const core = await coreOf(path, patch.depends);
  const ofKernel = await modulesInOrder(work, profile.modules, [
    ...(disks.length > 0 ? ["loop", ...disks.map(({ type }) => type)] : []),
    ...patched,
    ...proof.tests.flatMap((test) => test.modules),
  ]);
  const modules = [...core, ...ofKernel];
  const [busybox, init, ...tests] = await Promise.all([
    readFile(profile.busybox),
    guestScript("prove.sh"),
    ...proof.tests.map((test) => testEntries(work, test)),
  ]);
  return {
    name: patch.name,
    backend: core.length > 0 ? "ftrace" : "livepatch",
    modules: modules.map(({ name }) => name),
    entries: [
      ...baseSystem(busybox, init),
      { kind: "file", path: "patch.ko", content: patch.content },
      { kind: "directory", path: "modules" },
      ...modules.map(({ name, content }) => ({ kind: "file" as const, path: `modules/${name}`, content })),
      { kind: "directory", path: "tests" },
      ...tests.flat(),
    ],
  };
}

/** The module that patches on kernels without livepatch need; a build leaves it beside them. */
async function coreOf(patch: string, depends: readonly string[]): Promise<KernelModule[]> {
  const name = "hotpatch_core";
  if (!depends.includes(name)) return [];
  const path = join(dirname(patch), `${name}.ko`);
  const content = await readFile(path).catch((cause) => {
    throw new Fault("bad-input", `${patch} needs ${name}.ko, which is not beside it`, {
      cause,
      remedy: "leave the two together, as 'hotpatch build' made them",
    });
  });
  return [{ name, content }];
}

async function testEntries(work: Work, test: SandboxTest): Promise<CpioEntry[]> {
  const folder = `tests/${test.name}`;
  const file = (name: string, content: string | Uint8Array): CpioEntry => ({
    kind: "file",
    path: `${folder}/${name}`,
    content: typeof content === "string" ? Buffer.from(content) : content,
  });
  return [
    { kind: "directory", path: folder },
    file("script", test.script),
    file("expect", `${test.kind}\n`),
    file("timeout", `${test.timeout}\n`),
    ...(test.disk ? [file("disk", await diskImage(work, test.disk))] : []),
  ];
}

/** One guest, from boot to end. */
interface Attempt {
  readonly guest: GuestEnd;
  readonly report: KtapReport | undefined;
  readonly complaints: readonly Complaint[];
  /** The step that was begun and has no result, when there is one. */
  readonly unfinished?: string;
  readonly finished: boolean;
}

async function attempt(
  work: Work,
  profile: KernelProfile,
  proof: Proof,
  prepared: Prepared,
  compare: string,
): Promise<Attempt> {
  const patience = proof.patience ?? 30;
  const cycles = proof.cycles ?? 2;
  const testing = proof.tests.reduce((sum, { timeout }) => sum + 3 * (timeout + 15), 0);
  const stepsToCome = expectedSteps(proof, prepared);
  const plan = {
    module: prepared.name,
    control: `${BACKENDS[prepared.backend].control}/${prepared.name}`,
    modules: prepared.modules.join(" "),
    tests: proof.tests.map(({ name }) => name).join(" "),
    compare,
    cycles,
    patience,
    steps: stepsToCome.length,
  };
  const lines = Object.entries(plan).map(
    ([name, value]) => `${name}='${String(value).replaceAll("'", "")}'\n`,
  );
  work.progress("booting the kernel in a sandbox", 0);
  let begun = 0;
  const guest = await bootGuest(work, {
    arch: profile.arch,
    image: profile.image,
    accelerator: proof.accelerator,
    initramfs: cpioArchive([
      ...prepared.entries,
      { kind: "file", path: "plan", content: Buffer.from(lines.join("")) },
    ]),
    // A processor stuck in the kernel is the end: say so after some 12 s, before the complaints that follow.
    kernelArguments: ["softlockup_panic=1", "watchdog_thresh=6"],
    deadline: proof.deadline ?? 120 + testing + cycles * 2 * patience,
    silence: 30 + Math.max(patience, ...proof.tests.map(({ timeout }) => timeout)),
    ...(proof.cpus === undefined ? {} : { cpus: proof.cpus }),
    onProtocol: (chunk) => {
      for (const [, step = ""] of chunk.toString("latin1").matchAll(/^ *# begin (.*)$/gm)) {
        work.progress(step, Math.min(1, begun++ / stepsToCome.length));
      }
    },
  });
  const report = parseKtap(guest.protocol.toString());
  const rest = report?.rest ?? [];
  const unfinished = rest.findLast((line) => line.startsWith("begin "))?.slice("begin ".length);
  return {
    guest,
    report,
    complaints: complaints(guest.console),
    ...(unfinished === undefined ? {} : { unfinished }),
    finished: guest.end === "exited" && rest.includes("end"),
  };
}

/** Names of all steps in the order of `runtime/guest/prove.sh`. */
function expectedSteps(proof: Proof, prepared: Prepared): string[] {
  const cycles = proof.cycles ?? 2;
  const phase = (name: string) => proof.tests.map((test) => `test ${name}: ${test.name}`);
  return [
    ...(prepared.modules.length > 0 ? ["kernel modules"] : []),
    ...phase("before"),
    ...["load", "transition"],
    ...phase("loaded"),
    ...Array.from({ length: cycles - 1 }, (_, index) => `cycle ${index + 2} of ${cycles}`),
    ...["disable", "unload"],
    ...phase("after"),
  ];
}

/** The test in which the unpatched kernel died or hung, if it did; a guest that just went away has shown nothing. */
function deathBeforeLoad({ complaints, unfinished, guest }: Attempt): string | undefined {
  const isBefore = (step: string | undefined) => step?.startsWith("test before: ") === true;
  const deadly = complaints.find(({ kind, step }) => DEADLY.has(kind) && isBefore(step));
  if (deadly) return deadly.step;
  return guest.end !== "exited" && isBefore(unfinished) ? unfinished : undefined;
}

function runOf(proof: Proof, prepared: Prepared, attempts: readonly [Attempt, ...Attempt[]]): SandboxRun {
  const last = attempts.at(-1) ?? attempts[0];
  const steps = stepsOf(proof, prepared, attempts);
  const observations = [
    ...stepObservations(proof, prepared, steps, last),
    ...blamed(last),
    ...endObservation(last),
  ];
  return {
    accelerator: proof.accelerator,
    outcome: outcomeOf(last),
    steps,
    observations: observations.length > 0 ? observations : missingSteps(proof, prepared, last),
    kernelLog: attempts.map(({ guest }) => guest.console).join("\n"),
    seconds: attempts.reduce((sum, { guest }) => sum + guest.seconds, 0),
  };
}

function outcomeOf({ guest, finished, complaints }: Attempt): SandboxRun["outcome"] {
  if (finished) return "finished";
  if (guest.end !== "exited") return "hung";
  return complaints.some(({ kind }) => kind === "panic") ? "panicked" : "died";
}

function stepsOf(
  proof: Proof,
  prepared: Prepared,
  attempts: readonly [Attempt, ...Attempt[]],
): SandboxStep[] {
  const [first, second] = attempts;
  const death = second && deathBeforeLoad(first);
  if (second === undefined || death === undefined) return guestSteps(proof, prepared, first);
  const until = guestSteps(proof, prepared, first);
  const fatal = until.findIndex(({ name }) => name === death);
  const told = until.slice(0, fatal + 1).map((step, index): SandboxStep => {
    if (index !== fatal) return step;
    const last = first.complaints.filter((complaint) => complaint.step === death);
    const place = last.find(({ symbol }) => symbol !== undefined)?.symbol;
    return {
      ...step,
      outcome: "passed",
      output: [
        ...step.output,
        `the kernel died${place ? ` in ${place}` : ""}: the bug is there; a fresh guest goes on`,
        ...last.flatMap((complaint) => complaint.excerpt.split("\n")),
      ],
    };
  });
  return [...told, ...guestSteps(proof, prepared, second).slice(told.length)];
}

/** All steps of one guest; those it never came to are skipped. */
function guestSteps(proof: Proof, prepared: Prepared, { report, unfinished, guest }: Attempt): SandboxStep[] {
  const results = report?.results ?? [];
  const done = results.map(stepOf);
  return expectedSteps(proof, prepared).map((name, index): SandboxStep => {
    const step = done[index];
    if (step?.name === name) return step;
    const during = isWithin(unfinished, name);
    const output = [`the guest ${HOW_IT_ENDED[guest.end]} ${during ? "during" : "before"} this step`];
    return { name, outcome: during ? "failed" : "skipped", seconds: 0, output };
  });
}

/** Whether a step begun is that step, or one of those it consists of. */
function isWithin(begun: string | undefined, step: string): boolean {
  return begun === step || begun?.startsWith(`${step}: `) === true;
}

const HOW_IT_ENDED: Readonly<Record<GuestEnd["end"], string>> = {
  exited: "ended",
  deadline: "was stopped at its deadline",
  silence: "fell silent",
  flood: "flooded its console and was stopped",
};

function stepOf(result: KtapResult): SandboxStep {
  const [, start, end] = /^time ([\d.]+) ([\d.]+)$/.exec(result.diagnostics.at(-1) ?? "") ?? [];
  const nested = result.subtests.map(stepOf);
  return {
    name: result.name,
    outcome: result.outcome,
    seconds:
      start !== undefined && end !== undefined
        ? Math.max(0, Math.round((Number(end) - Number(start)) * 100) / 100)
        : 0,
    output: [
      ...nested.flatMap((step) => [`${step.name}: ${step.outcome}`, ...step.output]),
      ...result.diagnostics.filter((line) => line.startsWith("| ")).map((line) => line.slice(2)),
      ...(result.remark === "" ? [] : [result.remark.replace(/^SKIP /, "")]),
    ],
  };
}

/** What the failed steps mean in terms of the rule catalogue. */
function stepObservations(
  proof: Proof,
  prepared: Prepared,
  steps: readonly SandboxStep[],
  { guest, complaints, unfinished }: Attempt,
): Observation[] {
  return steps.flatMap((step): Observation[] => {
    // What stopped the guest is told once, by its own observation.
    if (step.outcome !== "failed" || isWithin(unfinished, step.name)) return [];
    const [phase, test] = /^test (\w+): (.*)$/.exec(step.name)?.slice(1) ?? [];
    const kind = proof.tests.find(({ name }) => name === test)?.kind;
    if (phase !== undefined && test !== undefined && kind !== undefined) {
      return [testObservation(phase, test, kind, step)];
    }
    const kernel = consoleDuring(guest.console, step.name);
    const detail = [...step.output, ...kernel].join("\n");
    if (step.name === "transition") {
      return [{ rule: "transition-stalled", message: stalled(step.output), detail }];
    }
    if (step.name === "disable" || step.name === "unload" || step.name.startsWith("cycle ")) {
      return [{ rule: "does-not-unload", message: `${step.name} failed: ${ownWords(step)}`, detail }];
    }
    // A load that crashes was not refused; the crash speaks for itself.
    if (complaints.some((complaint) => complaint.step === step.name && DEADLY.has(complaint.kind))) return [];
    if (step.output.at(-1)?.startsWith("TIMEOUT ")) {
      return [{ rule: "load-refused", message: `loading ${prepared.name} did not come to an end`, detail }];
    }
    const what =
      step.name === "load" ? `the kernel refused ${prepared.name}` : "a module the test needs does not load";
    return [
      {
        rule: "load-refused",
        message: `${what}: ${lastWords(prepared.name, kernel) ?? ownWords(step)}`,
        detail,
      },
    ];
  });
}

/** What a step printed first, or which of the steps in it failed. */
function ownWords({ output }: SandboxStep): string {
  const words = output.find((line) => line.endsWith(": failed")) ?? output[0] ?? "";
  return words.replace(/^insmod: can't insert '[^']*': |: failed$/, "");
}

/** The kernel's reason: what it said of this module last, but for its taint. */
function lastWords(module: string, lines: readonly string[]): string | undefined {
  return lines.findLast(
    (line) =>
      (line.startsWith(`${module}: `) || /^(livepatch|module|Module|BPF|failed)/.test(line)) &&
      !/taint/.test(line),
  );
}

function stalled(output: readonly string[]): string {
  const tasks = output.flatMap((line) => /^held up by (.*):$/.exec(line)?.[1] ?? []);
  return tasks.length > 0
    ? `the transition did not end: held up by ${tasks.slice(0, 3).join(", ")}${tasks.length > 3 ? ", …" : ""}`
    : `the transition did not end: ${output.at(-1) ?? "no reason seen"}`;
}

function testObservation(
  phase: string,
  test: string,
  kind: SandboxTest["kind"],
  step: SandboxStep,
): Observation {
  const detail = step.output.join("\n");
  const untried = step.output.find((line) => line.startsWith("ERROR "));
  if (untried)
    return { rule: "behaviour-unchanged", message: `test ${test} could not tell (${step.name})`, detail };
  if (kind === "smoke") {
    const when = {
      before: "before the patch is loaded",
      loaded: "with the patch",
      after: "after the patch is gone",
    };
    return {
      rule: "behaviour-unchanged",
      message: `smoke test ${test} fails ${when[phase as keyof typeof when] ?? phase}`,
      ...(phase === "before" ? {} : { severity: "unsafe" as const }),
      detail,
    };
  }
  if (phase === "after") {
    return { rule: "does-not-unload", message: `test ${test} still passes after the patch is gone`, detail };
  }
  const message =
    phase === "before" ? `test ${test} passes without the patch` : `test ${test} fails with the patch`;
  return { rule: "behaviour-unchanged", message, detail };
}

/** Panics that only follow from what the kernel complained of just before (kernel/exit.c, kernel/watchdog.c). */
const FOLLOWS =
  /not syncing: (Fatal exception|Attempted to kill init|softlockup: hung tasks|.*[Oo]ops: Fatal)/;

/** Complaints since the patch was loaded, each once, without those that the kernel had before as well. */
function blamed({ complaints }: Attempt): Observation[] {
  const load = complaints.findIndex(({ step }) => !isBeforeLoad(step));
  if (load === -1) return [];
  const known = new Set(complaints.slice(0, load).map(complaintKey));
  return complaints.slice(load).flatMap((complaint) => {
    const key = complaintKey(complaint);
    if (known.has(key) || FOLLOWS.test(complaint.title)) return [];
    known.add(key);
    return [complaintObservation(complaint)];
  });
}

function isBeforeLoad(step: string): boolean {
  return step === "" || step === "kernel modules" || step.startsWith("test before: ");
}

/** For a guest whose report lacks steps, and of which nothing else is known: it must not pass for one that took them. */
function missingSteps(proof: Proof, prepared: Prepared, { guest, report }: Attempt): Observation[] {
  const told = report?.results ?? [];
  const missing = expectedSteps(proof, prepared).find((name, index) => told[index]?.name !== name);
  if (missing === undefined) return [];
  const detail = guest.console.trimEnd().split("\n").slice(-40).join("\n");
  return [{ rule: "kernel-complained", message: `the guest has not reported the step '${missing}'`, detail }];
}

/** For a guest that did not come to its end and said nothing of why. */
function endObservation(attempt: Attempt): Observation[] {
  const { guest, unfinished, complaints, finished } = attempt;
  if (finished || (guest.end === "exited" && complaints.some(({ kind }) => kind === "panic"))) return [];
  const during = unfinished === undefined ? "before its first step" : `during '${unfinished}'`;
  const tail = guest.console.trimEnd().split("\n").slice(-40).join("\n");
  return [
    {
      rule: "kernel-complained",
      message: `the guest ${HOW_IT_ENDED[guest.end]} ${during}, after ${Math.round(guest.seconds)} s`,
      detail: tail === "" ? "(the console is empty)" : tail,
    },
  ];
}
