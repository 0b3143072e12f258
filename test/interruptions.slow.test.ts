import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Ended, hotpatch, startHotpatch } from "./hotpatch.js";
import { MEMINFO_TEST, meminfoPatch } from "./kernel.js";
import { processesWith } from "./processes.js";

// One cache of its own for all of it, filled by the first test: what others run meanwhile leaves no traces here.

const MINUTES = 60_000;
const SIGNALS = ["SIGINT", "SIGKILL"] as const;
let folder: string;
let env: { readonly XDG_CACHE_HOME: string };
let kernel: KernelProfile | undefined;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "hotpatch-test-")));
  env = { XDG_CACHE_HOME: join(folder, "cache") };
});

afterAll(() => rm(folder, { recursive: true, force: true }), 2 * MINUTES);

const run = (args: readonly string[]) => hotpatch(args, { cwd: folder, env });

/** Starts hotpatch, sends it a signal once it says that it is in a phase, and waits until nothing of it runs. */
async function interrupt(
  args: readonly string[],
  phase: RegExp,
  signal: (typeof SIGNALS)[number],
): Promise<void> {
  const { child, ended, saying } = await startHotpatch([...args, "--verbose"], { cwd: folder, env });
  await saying(phase);
  child.kill(signal);
  expectInterrupted(await ended, signal);
  await expectNothingRuns();
}

function expectInterrupted({ status, stdout, stderr }: Ended, signal: (typeof SIGNALS)[number]): void {
  expect({ stderr, status, stdout }).toMatchObject({ status: signal === "SIGINT" ? 130 : null, stdout: "" });
  if (signal === "SIGINT") expect(stderr).toMatch(/^hotpatch: interrupted$/m);
}

async function expectNothingRuns(): Promise<void> {
  const ours = () => processesWith("XDG_CACHE_HOME", env.XDG_CACHE_HOME);
  for (let tries = 0; (await ours()).length > 0 && tries < 20; tries++) await sleep(100);
  expect(await ours()).toEqual([]);
}

/** The kernel that the first test added. */
function added(): KernelProfile {
  if (!kernel) throw new Error("the kernel of these tests could not be added; see the first of them");
  return kernel;
}

test(
  "adding a kernel",
  async () => {
    const add = ["kernel", "add", "debian/latest-amd64"];
    const phases = [
      ["SIGINT", /fetching/],
      ["SIGKILL", /downloading/],
      ["SIGINT", /downloading/],
      ["SIGKILL", /unpacking/],
      ["SIGINT", /symbol table/],
      ["SIGKILL", /preparing/],
    ] as const;
    for (const [signal, phase] of phases) {
      await interrupt(add, phase, signal);
      expect(JSON.parse((await run(["kernel", "list", "--json"])).stdout)).toMatchObject({ profiles: [] });
    }
    // Two at once: one does it, the other waits and finds it done.
    const [one, other] = await Promise.all([run([...add, "--json"]), run([...add, "--json"])]);
    expect(one).toMatchObject({ status: 0, stderr: "" });
    expect(other).toEqual(one);
    kernel = JSON.parse(one.stdout);
    for (const path of [added().image, added().symbolTable, join(added().source, "Makefile")])
      expect(existsSync(path)).toBe(true);
  },
  15 * MINUTES,
);

test(
  "two builds at once, the first of their kind",
  async () => {
    writeFileSync(join(folder, "fix.patch"), await meminfoPatch(added()));
    writeFileSync(join(folder, "fix.sh"), MEMINFO_TEST);
    const folders = ["one", "two", "same", "same"];
    const builds = await Promise.all(folders.map((output) => run(["build", "fix.patch", "-o", output])));
    for (const { status, stderr } of builds) expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    for (const output of ["two", "same"]) {
      expect(digest(join(folder, output, "patch.ko"))).toBe(digest(join(folder, "one/patch.ko")));
      expect(readdirSync(join(folder, output)).sort()).toEqual([
        "objects",
        "patch.ko",
        "patch.provenance.json",
        "report.json",
      ]);
    }
  },
  5 * MINUTES,
);

test.each([
  /applying the patch/,
  /looking for/,
  /compiling \S+ unpatched/,
  /compiling \S+ patched/,
  /comparing/,
  /linking/,
  /booting/,
  /test before/,
  /cycle 2/,
])(
  "a review, at %s",
  async (phase) => {
    const review = ["review", "fix.patch", "--test", "fix.sh", "-o", "out"];
    const work = join(env.XDG_CACHE_HOME, "kernel-hotpatch/work");
    for (const signal of SIGNALS) {
      // What was compiled before would not be compiled again.
      if (/unpatched/.test(String(phase)))
        await rm(join(env.XDG_CACHE_HOME, "kernel-hotpatch/build"), { recursive: true });
      const before = readdirSync(work);
      await interrupt(review, phase, signal);
      if (signal === "SIGINT") expect(readdirSync(work)).toEqual(before);
      expect(existsSync(join(folder, "out/report.json"))).toBe(false);
    }
  },
  3 * MINUTES,
);

test(
  "after all that a review is what it would have been",
  async () => {
    const ended = await run(["review", "fix.patch", "--test", "fix.sh", "-o", "out", "--json"]);
    expect(ended).toMatchObject({ status: 0, stderr: "" });
    expect(JSON.parse(ended.stdout)).toMatchObject({
      sandbox: { outcome: "finished" },
      findings: [],
    });
    expect(digest(join(folder, "out/patch.ko"))).toBe(digest(join(folder, "one/patch.ko")));
  },
  2 * MINUTES,
);

test(
  "a second Ctrl-C ends at once",
  async () => {
    const { child, ended, saying } = await startHotpatch(["review", "fix.patch", "--verbose"], {
      cwd: folder,
      env,
    });
    await saying(/booting/);
    child.kill("SIGINT");
    child.kill("SIGINT");
    expect((await ended).status).toBe(130);
    await expectNothingRuns();
  },
  MINUTES,
);

function digest(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}
