import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { namingFullDisk } from "@kernel-hotpatch/kernel/profile/room";
import { type Proof, proveModule } from "@kernel-hotpatch/kernel/sandbox/prove-module";
import { findingOf } from "./finding-of.js";
import type { TestReport } from "./review.js";
import { sandboxFindings, sandboxPart } from "./sandbox-part.js";
import { tool } from "./tool.js";
import { heaviestFirst, verdictOf } from "./verdict.js";

/**
 * Has the sandbox witness alone judge a module that was built earlier or by others.
 * @param path of the `patch.ko`
 * @throws Fault as `proveModule`
 */
export async function runTest(
  work: Work,
  profile: KernelProfile,
  path: string,
  proof: Omit<Proof, "module">,
): Promise<TestReport> {
  const run = await namingFullDisk(work, () => proveModule(work, profile, { ...proof, module: path }));
  const content = await readFile(path);
  const findings = [
    findingOf(
      { rule: "not-read", message: "only the module was looked at: neither its source nor its objects" },
      "source",
    ),
    ...sandboxFindings(run, proof.tests.length),
  ];
  return {
    schemaVersion: 1,
    tool,
    kernel: { id: profile.id, arch: profile.arch, release: profile.release },
    module: { path, sha256: createHash("sha256").update(content).digest("hex") },
    verdict: verdictOf(findings),
    findings: heaviestFirst(findings),
    sandbox: sandboxPart(run),
  };
}
