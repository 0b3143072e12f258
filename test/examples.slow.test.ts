import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hotpatch } from "./hotpatch.js";
import { type Bench, privateBench, stockKernel } from "./kernel.js";

const MINUTES = 60_000;
const EXAMPLES = fileURLToPath(new URL("../kernel/examples", import.meta.url));
const names = readdirSync(EXAMPLES, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && readdirSync(join(EXAMPLES, entry.name)).includes("expected.json"))
  .map(({ name }) => name);

/** What an example's `expected.json` says of its review. */
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

let kernel: KernelProfile;
let bench: Bench;
beforeAll(async () => {
  kernel = await stockKernel();
  bench = await privateBench();
}, 15 * MINUTES);
afterAll(() => bench.remove());

describe("each example gives its expected review", () => {
  test.each(names)(
    "%s",
    async (name) => {
      const expected: Expected = JSON.parse(readFileSync(join(EXAMPLES, name, "expected.json"), "utf8"));
      const patch = join(EXAMPLES, name, `${name}.patch`);
      const output = join(bench.folder, name);
      const run = await hotpatch(["review", patch, "--kernel", kernel.id, "-o", output, "--json"], {
        env: bench.env,
      });
      expect(run.stderr).not.toMatch(/^\s+at /m);
      const review = JSON.parse(run.stdout);
      const unsafe = review.findings.find(({ severity }: { severity: string }) => severity === "unsafe");
      const check = await hotpatch(["check", patch, "--kernel", kernel.id, "--json"], { env: bench.env });
      const actual: Expected = {
        verdict: review.verdict,
        source: JSON.parse(check.stdout).verdict,
        rules: [...new Set<string>(review.findings.map(({ rule }: { rule: string }) => rule))].sort(),
        ...(unsafe && { at: unsafe.file }),
        functions: (review.module?.functions ?? []).map(
          ({ object, name: symbol }: { object: string; name: string }) => `${object}:${symbol}`,
        ),
      };
      expect(actual).toEqual(expected);
      expect(run.status).toBe(review.verdict === "unsafe" ? 1 : 0);
      if (review.module)
        expect(review.sandbox.steps.map(({ name: step }: { name: string }) => step)).toContain("unload");
    },
    5 * MINUTES,
  );
});
