import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildPatch } from "../../build/build-patch.js";
import { defaultCache, type Work } from "../../host/work.js";
import type { KernelProfile } from "../../profile/profile.js";
import { addProfile } from "../../profile/store.js";
import { bestAccelerator } from "../../sandbox/accelerator.js";
import { proveModule } from "../../sandbox/prove-module.js";
import { readTest } from "../../sandbox/sandbox-test.js";

const EXAMPLES = fileURLToPath(new URL("../../../examples/", import.meta.url));
const work: Work = { signal: new AbortController().signal, cache: defaultCache(), progress: () => undefined };
let profile: KernelProfile;
let folder: string;

beforeAll(async () => {
  profile = await addProfile(work, "debian/latest-arm64");
  folder = await mkdtemp(join(tmpdir(), "hotpatch-ftrace-"));
}, 1_800_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

// Together they have all that is linked late: variables and functions of vmlinux, static locals, two files.
test.each(["umask-syscall", "two-files", "drop-caches-static-local"])(
  "%s is carried to a kernel without livepatch",
  async (name) => {
    const path = join(EXAMPLES, name, `${name}.patch`);
    const patches = [{ name: `${name}.patch`, text: await readFile(path) }];
    const { module, observations } = await buildPatch(work, profile, {
      patches,
      outputDir: join(folder, name),
    });
    expect(observations.filter(({ severity }) => severity === "unsafe")).toEqual([]);
    expect(module).toMatchObject({ backend: "ftrace", core: join(folder, name, "hotpatch_core.ko") });
    if (!module) return;
    const run = await proveModule(work, profile, {
      module,
      tests: [await readTest(join(EXAMPLES, name, `${name}.test.sh`))],
      accelerator: await bestAccelerator(work, profile),
      cpus: 2,
    });
    expect(run.outcome).toBe("finished");
    expect(run.steps.filter(({ outcome }) => outcome !== "passed")).toEqual([]);
    expect(run.observations).toEqual([]);
  },
  1_200_000,
);
