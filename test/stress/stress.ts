// `npm run stress -- arm64 [PROFILE…] [--cycles N]`: the ftrace back end's core under load, on emulated machines with 2
// and 4 processors. Everything is said as it happens; the exit status is 1 when a check fails, the kernel complains or
// a bar is missed.
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { runOk } from "@kernel-hotpatch/kernel/host/run";
import { defaultCache, type Work } from "@kernel-hotpatch/kernel/host/work";
import { runtimeOf } from "@kernel-hotpatch/kernel/module/runtime";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { listProfiles, loadProfile } from "@kernel-hotpatch/kernel/profile/store";
import { bestAccelerator } from "@kernel-hotpatch/kernel/sandbox/accelerator";
import { complaints } from "@kernel-hotpatch/kernel/sandbox/console";
import { type CpioEntry, cpioArchive } from "@kernel-hotpatch/kernel/sandbox/cpio";
import { baseSystem } from "@kernel-hotpatch/kernel/sandbox/initramfs";
import { bootGuest } from "@kernel-hotpatch/kernel/sandbox/qemu";

const SOURCES = fileURLToPath(new URL("../../stress/", import.meta.url));
const RUNTIME = fileURLToPath(new URL("../../../kernel/runtime/ftrace/", import.meta.url));
const MODULES = [
  ...["victim", "stress_a", "stress_b", "stress_all", "stress_callback", "stress_gone"],
  ...["stress_untraced", "stress_tracer", "stress_late", "stress_state"],
];
const PROCESSORS = [2, 4];
/** Milliseconds that one change may hold an emulated machine with 500 tasks. */
const PAUSE_P99 = 5;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { cycles: { type: "string", default: "200" }, cpus: { type: "string" } },
});
const work: Work = {
  signal: new AbortController().signal,
  cache: defaultCache(),
  progress: () => undefined,
};
const [arch, ...ids] = positionals;
if (arch !== "arm64") {
  process.stderr.write("the stress run is for arm64: npm run stress -- arm64\n");
  process.exit(2);
}
const profiles = ids.length > 0 ? await Promise.all(ids.map((id) => loadProfile(work, id))) : await known();
if (profiles.length === 0) {
  process.stderr.write(
    "no kernel for the ftrace back end was added: hotpatch kernel add debian/latest-arm64\n",
  );
  process.exit(2);
}
const processors = values.cpus === undefined ? PROCESSORS : [Number(values.cpus)];
let good = true;
for (const profile of profiles) {
  const folder = await mkdtemp(join(tmpdir(), "hotpatch-stress-"));
  try {
    const modules = await buildModules(profile, folder);
    for (const cpus of processors) good = (await stress(profile, modules, cpus)) && good;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
process.exitCode = good ? 0 : 1;

async function known(): Promise<KernelProfile[]> {
  const all = (await listProfiles(work.cache)).filter((profile) => profile.arch === "arm64");
  const backends = await Promise.all(all.map(async (profile) => (await runtimeOf(work, profile)).backend));
  return all.filter((_, index) => backends[index] === "ftrace");
}

async function buildModules(profile: KernelProfile, folder: string): Promise<CpioEntry[]> {
  const { core } = await runtimeOf(work, profile);
  if (core === undefined) throw new Error(`${profile.id} is not patched through ftrace`);
  const make = (made: string, ...variables: string[]) => {
    const ofProfile = Object.entries(profile.makeVariables).map(([name, value]) => `${name}=${value}`);
    const place = ["-C", profile.source, `O=${profile.build}`, `M=${made}`];
    return runOk(work, ["make", ...place, ...ofProfile, ...variables, "modules"]);
  };
  const failing = join(folder, "failing");
  await cp(RUNTIME, failing, { recursive: true });
  await make(join(failing, "core"), "KCFLAGS=-DHOTPATCH_FAILURES");
  const modules = join(folder, "modules");
  await cp(join(SOURCES, "modules"), modules, { recursive: true });
  const symvers = join(dirname(core.path), "Module.symvers");
  await make(modules, `KBUILD_EXTRA_SYMBOLS=${symvers}`, `HOTPATCH_INCLUDE=${RUNTIME}`);
  const files = [
    { name: "hotpatch_core", path: core.path },
    { name: "hotpatch_core_failing", path: join(failing, "core/hotpatch_core.ko") },
    ...MODULES.map((name) => ({ name, path: join(modules, `${name}.ko`) })),
  ];
  return [
    { kind: "directory", path: "modules" },
    ...(await Promise.all(
      files.map(async ({ name, path }): Promise<CpioEntry> => {
        const content = await readFile(path);
        return { kind: "file", path: `modules/${name}.ko`, content };
      }),
    )),
  ];
}

async function stress(profile: KernelProfile, modules: CpioEntry[], cpus: number): Promise<boolean> {
  const say = (line: string) => process.stdout.write(`${line}\n`);
  say(`\n${profile.id}, ${cpus} processors, ${values.cycles} cycles`);
  const facts = new Map<string, number>();
  let failed = 0;
  let ended = false;
  let rest = "";
  const hear = (chunk: Buffer) => {
    const lines = (rest + chunk.toString("latin1")).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const [, key, value] = /^# (\w+) (\d+)$/.exec(line) ?? [];
      if (key !== undefined && value !== undefined) facts.set(key, Number(value));
      if (line.startsWith("not ok")) failed++;
      if (line === "# end") ended = true;
      say(`    ${line}`);
    }
  };
  const [busybox, init] = await Promise.all([
    readFile(profile.busybox),
    readFile(join(SOURCES, "stress.sh")),
  ]);
  const guest = await bootGuest(work, {
    arch: profile.arch,
    image: profile.image,
    initramfs: cpioArchive([...baseSystem(busybox, init), ...modules]),
    accelerator: await bestAccelerator(work, profile),
    kernelArguments: [`cycles=${values.cycles}`],
    cpus,
    deadline: 3600,
    silence: 600,
    onProtocol: hear,
  });
  const complained = complaints(guest.console);
  for (const { excerpt } of complained) say(excerpt);
  const ratio = (facts.get("value_ns_per_1000") ?? 0) / (facts.get("traced_ns_per_1000") ?? 1);
  const milliseconds = (key: string) => (facts.get(key) ?? Number.NaN) / 1000;
  const pause = milliseconds("pause_p99_us");
  say(
    `  a call of a patched function takes ${ratio.toFixed(2)} times as long as one of a function that is only traced`,
  );
  say(`  the machine was held for ${milliseconds("pause_p50_us")} ms (p50), ${pause} ms (p99)`);
  say(`  the bar is ${PAUSE_P99} ms (p99), on a host that leaves each emulated processor a real one`);
  say(`  ${failed} checks failed, ${complained.length} complaints, the guest ${ended ? "ended" : guest.end}`);
  if (!ended) say(guest.console.split("\n").slice(-60).join("\n"));
  return ended && failed === 0 && complained.length === 0 && pause <= PAUSE_P99;
}
