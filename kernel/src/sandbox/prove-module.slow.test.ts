import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runOk } from "../host/run.js";
import { defaultCache, type Work } from "../host/work.js";
import type { KernelProfile } from "../profile/profile.js";
import { addProfile } from "../profile/store.js";
import { type Proof, proveModule } from "./prove-module.js";
import type { SandboxRun } from "./sandbox-run.js";
import { parseTest } from "./sandbox-test.js";

/** Real boots of a stock kernel, added when it is not there, with modules compiled from fixtures/module/case.c. */
const CASES = ["GOOD", "REFUSES", "STALLS", "WARNS", "PANICS", "LOOPS", "HUNG"] as const;
type Case = (typeof CASES)[number];

const work: Work = { signal: new AbortController().signal, cache: defaultCache(), progress: () => undefined };
let profile: KernelProfile;
let folder: string;

beforeAll(async () => {
  profile = await addProfile(work, "debian/latest-amd64");
  folder = await mkdtemp(join(tmpdir(), "kernel-hotpatch-cases-"));
  const source = new URL("../../src/sandbox/fixtures/module/case.c", import.meta.url);
  for (const name of CASES) await copyFile(source, join(folder, `${fileOf(name)}.c`));
  const lines = CASES.map(
    (name) => `obj-m += ${fileOf(name)}.o\nCFLAGS_${fileOf(name)}.o := -DCASE_${name}\n`,
  );
  await writeFile(join(folder, "Makefile"), lines.join(""));
  const variables = Object.entries(profile.makeVariables).map(([name, value]) => `${name}=${value}`);
  const make = ["make", "-C", profile.source, `O=${profile.build}`, `M=${folder}`] as const;
  await runOk(work, [...make, ...variables, "modules"]);
}, 900_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

function fileOf(name: Case): string {
  return `case_${name.toLowerCase()}`;
}

const CHANGED = parseTest("changed", "cat /proc/cmdline\ngrep -q 'live patched' /proc/cmdline\n");

function prove(name: Case, proof: Partial<Proof> = {}): Promise<SandboxRun> {
  const module = join(folder, `${fileOf(name)}.ko`);
  return proveModule(work, profile, {
    module,
    tests: [CHANGED],
    accelerator: "emulation",
    cycles: 1,
    ...proof,
  });
}

function outcomes(run: SandboxRun): Record<string, string> {
  return Object.fromEntries(run.steps.map(({ name, outcome }) => [name, outcome]));
}

function outputOf(run: SandboxRun, step: string): string {
  return run.steps.find(({ name }) => name === step)?.output.join("\n") ?? "";
}

describe("a boot of a stock kernel", { timeout: 180_000 }, () => {
  test("a good patch: changes, cycles, gives the old behaviour back", async () => {
    const smoke = parseTest("smoke", "# kind: smoke\ntest -r /proc/meminfo\n");
    const disk = parseTest(
      "disk",
      '# disk: ext4 8M\n# kind: smoke\nmkdir m\nmount -t ext4 "$disk" m\ntouch m/file\n',
    );
    const run = await prove("GOOD", { cycles: 3, tests: [CHANGED, smoke, disk] });
    expect(run.observations).toEqual([]);
    expect(run.outcome).toBe("finished");
    expect(run.steps.map(({ name, outcome }) => `${name}: ${outcome}`)).toEqual([
      "kernel modules: passed",
      "test before: changed: passed",
      "test before: smoke: passed",
      "test before: disk: passed",
      "load: passed",
      "transition: passed",
      "test loaded: changed: passed",
      "test loaded: smoke: passed",
      "test loaded: disk: passed",
      "cycle 2 of 3: passed",
      "cycle 3 of 3: passed",
      "disable: passed",
      "unload: passed",
      "test after: changed: passed",
      "test after: smoke: passed",
      "test after: disk: passed",
    ]);
    expect(outputOf(run, "test loaded: changed")).toContain("this has been live patched");
    expect(outputOf(run, "test after: changed")).not.toContain("this has been live patched");
    expect(outputOf(run, "cycle 3 of 3")).toContain("unload: passed");
    expect(run.kernelLog).toContain("livepatch: 'case_good': unpatching complete");
  });

  test("a module that the kernel refuses", async () => {
    const run = await prove("REFUSES");
    expect(run.outcome).toBe("finished");
    expect(run.observations).toMatchObject([
      { rule: "load-refused", message: expect.stringContaining("Invalid argument") },
    ]);
    expect(outcomes(run)).toMatchObject({
      load: "failed",
      transition: "skipped",
      "test loaded: changed": "skipped",
    });
  });

  test("a module whose loading never ends", async () => {
    const run = await prove("HUNG", { patience: 3, tests: [] });
    expect(run.observations).toMatchObject([
      { rule: "load-refused", message: "loading case_hung did not come to an end" },
    ]);
    expect(run.observations[0]?.detail).toMatch(/^insmod \(pid \d+\):\n( .*\n)* +start\+0x/m);
  });

  test("a transition that a task holds up", async () => {
    const run = await prove("STALLS", { patience: 4, tests: [] });
    expect(run.observations).toMatchObject([
      {
        rule: "transition-stalled",
        message: "the transition did not end: held up by kthreadd (pid 2)",
        detail: expect.stringContaining("kthreadd+0x"),
      },
    ]);
    expect(outcomes(run)).toEqual({
      load: "passed",
      transition: "failed",
      disable: "passed",
      unload: "passed",
    });
  });

  test("a patch that warns, and one whose test tells nothing", async () => {
    const run = await prove("WARNS", {
      tests: [CHANGED, parseTest("always", "true\n"), parseTest("never", "false\n")],
    });
    expect(run.observations.map(({ rule, message }) => `${rule}: ${message}`)).toEqual([
      "behaviour-unchanged: test always passes without the patch",
      "behaviour-unchanged: test never fails with the patch",
      "does-not-unload: test always still passes after the patch is gone",
      expect.stringMatching(/^kernel-complained: the kernel warned in start\+0x.* a warning on purpose$/),
    ]);
  });

  test("a patch that panics", async () => {
    const run = await prove("PANICS");
    expect(run.outcome).toBe("panicked");
    expect(run.observations).toMatchObject([
      {
        rule: "kernel-complained",
        message: expect.stringMatching(/during 'load': Kernel panic - not syncing: a panic on purpose$/),
        symbol: "start",
      },
    ]);
    expect(outcomes(run)).toMatchObject({
      load: "failed",
      unload: "skipped",
      "test after: changed": "skipped",
    });
  });

  test("a patched function that never returns", async () => {
    const run = await prove("LOOPS");
    expect(run.outcome).toBe("panicked");
    expect(run.observations).toMatchObject([
      { rule: "kernel-complained", symbol: "patched", message: expect.stringContaining("soft lockup") },
    ]);
  });

  test("a test without end, and one that cannot tell", async () => {
    const endless = parseTest("endless", "# timeout: 2\nwhile :; do :; done & while :; do sleep 1; done\n");
    const lost = parseTest("lost", "no-such-program\n");
    const run = await prove("GOOD", { tests: [endless, lost, CHANGED] });
    expect(run.outcome).toBe("finished");
    expect(outputOf(run, "test loaded: endless")).toContain("TIMEOUT after 2 s");
    expect(outcomes(run)).toMatchObject({ "test loaded: changed": "passed", "test before: lost": "failed" });
    expect(run.observations.map(({ message }) => message)).toEqual([
      "test lost could not tell (test before: lost)",
      "test endless fails with the patch",
      "test lost could not tell (test loaded: lost)",
      "test lost could not tell (test after: lost)",
    ]);
  });

  test("a bug that kills the unpatched kernel is evidence, not the end", async () => {
    const script = "grep -q 'live patched' /proc/cmdline && exit 0\necho c > /proc/sysrq-trigger\n";
    const run = await prove("GOOD", { tests: [parseTest("crash", script)] });
    expect(run.observations).toEqual([]);
    expect(run.outcome).toBe("finished");
    expect(outcomes(run)).toMatchObject({
      "test before: crash": "passed",
      "test loaded: crash": "passed",
      "test after: crash": "skipped",
    });
    expect(outputOf(run, "test before: crash")).toContain("sysrq triggered crash");
    expect(outputOf(run, "test after: crash")).toContain("the unpatched kernel dies in test before: crash");
  });

  test("a guest that powers off early", async () => {
    const script = "grep -q 'live patched' /proc/cmdline && poweroff -f\nfalse\n";
    const run = await prove("GOOD", { tests: [parseTest("off", script)] });
    expect(run.outcome).toBe("died");
    expect(run.observations).toMatchObject([
      {
        rule: "kernel-complained",
        message: expect.stringMatching(/^the guest ended during 'test loaded: off'/),
      },
    ]);
  });

  test("a guest that floods its console", async () => {
    const script = "grep -q 'live patched' /proc/cmdline && yes > /dev/console\nfalse\n";
    const run = await prove("GOOD", { tests: [parseTest("flood", script)] });
    expect(run.outcome).toBe("hung");
    expect(run.observations).toMatchObject([
      { rule: "kernel-complained", message: expect.stringContaining("flooded its console") },
    ]);
  });

  test("a module for another kernel, a damaged one and no module are bad input, without a boot", async () => {
    const bad = (message: RegExp) =>
      expect.objectContaining({ code: "bad-input", message: expect.stringMatching(message) });
    const other = { ...profile, release: "6.1.0-0-amd64" };
    const module = join(folder, "case_good.ko");
    const proof = { module, tests: [], accelerator: "emulation" } as const;
    await expect(proveModule(work, other, proof)).rejects.toThrow(
      bad(/was built for .* not for 6\.1\.0-0-amd64$/),
    );
    await expect(proveModule(work, { ...profile, arch: "arm64" }, proof)).rejects.toThrow(
      bad(/is not for arm64$/),
    );

    const short = join(folder, "short.ko");
    await copyFile(module, short);
    await runOk(work, ["truncate", "-s", "20000", short]);
    await expect(proveModule(work, profile, { ...proof, module: short })).rejects.toThrow(
      bad(/truncated or damaged/),
    );
    const text = join(folder, "Makefile");
    await expect(proveModule(work, profile, { ...proof, module: text })).rejects.toThrow(
      bad(/not an ELF file/),
    );
  });
});
