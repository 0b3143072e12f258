import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hotpatch } from "./hotpatch.js";
import { type Bench, privateBench, stockKernel } from "./kernel.js";

const MINUTES = 60_000;
const EXAMPLES = fileURLToPath(new URL("../kernel/examples", import.meta.url));
const all = readdirSync(EXAMPLES, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && readdirSync(join(EXAMPLES, entry.name)).includes("expected.json"))
  .map(({ name }) => name);

/**
 * What is run on which kernel. The few on arm64 have all that is linked late there: functions, variables and static
 * locals of vmlinux, shadow variables, two files. All run on the kernels that HOTPATCH_EXAMPLES_ON names, by their ids.
 */
const named = process.env.HOTPATCH_EXAMPLES_ON?.split(" ");
const table = named?.map((id) => ({ on: id, names: all })) ?? [
  { on: "x86_64", names: all },
  { on: "arm64", names: ["shadow-variable", "two-files", "drop-caches-static-local"] },
];

/** What an example's `expected.json` says of its review; below the name of an architecture, what differs there. */
interface Expected {
  readonly verdict: string;
  /** The verdict of the source alone. */
  readonly source: string;
  /** Rules of all findings, sorted, each once. */
  readonly rules: readonly string[];
  /** File that the first finding that is unsafe points into. */
  readonly at?: string;
  /** `object:function` of all that the module redirects. */
  readonly functions: readonly string[];
}

/** What is said of every patch for a kernel that needs our own core. */
const OF_THE_KERNEL = ["core-needed", "no-reliable-stacks"];

let bench: Bench;
beforeAll(async () => {
  bench = await privateBench();
});
afterAll(() => bench.remove());

describe.each(table)("each example gives its expected review on $on", ({ on, names }) => {
  let kernel: KernelProfile;
  beforeAll(async () => {
    kernel = await stockKernel(on);
  }, 15 * MINUTES);

  test.each(names)(
    "%s",
    async (name) => {
      const expected = expectedOf(name, kernel.arch);
      const patch = join(EXAMPLES, name, `${name}.patch`);
      const output = join(bench.folder, name);
      const run = await hotpatch(["review", patch, "--kernel", kernel.id, "-o", output, "--json"], {
        env: bench.env,
      });
      expect(run.stderr).not.toMatch(/^\s+at /m);
      const review = JSON.parse(run.stdout);
      const unsafe = review.findings.find(({ severity }: { severity: string }) => severity === "unsafe");
      const check = await hotpatch(["check", patch, "--kernel", kernel.id, "--json"], { env: bench.env });
      const rules = new Set<string>(review.findings.map(({ rule }: { rule: string }) => rule));
      const ofTheKernel = OF_THE_KERNEL.filter((rule) => rules.delete(rule));
      const actual: Expected = {
        verdict: review.verdict,
        source: JSON.parse(check.stdout).verdict,
        rules: [...rules].sort(),
        ...(unsafe && { at: unsafe.file }),
        functions: (review.module?.functions ?? []).map(
          ({ object, name: symbol }: { object: string; name: string }) => `${object}:${symbol}`,
        ),
      };
      expect(actual).toEqual(expected);
      expect(run.status).toBe(review.verdict === "unsafe" ? 1 : 0);
      if (!review.module) return;
      expect(ofTheKernel).toEqual(review.module.backend === "ftrace" ? OF_THE_KERNEL : []);
      expect(review.sandbox.steps.map(({ name: step }: { name: string }) => step)).toContain("unload");
    },
    15 * MINUTES,
  );
});

function expectedOf(name: string, arch: string): Expected {
  const { arm64, ...anywhere } = JSON.parse(readFileSync(join(EXAMPLES, name, "expected.json"), "utf8"));
  return { ...anywhere, ...(arch === "arm64" && arm64) };
}
