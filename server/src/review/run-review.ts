import type { BuildResult } from "@kernel-hotpatch/kernel/build/build";
import { type BuildRequest, buildPatch } from "@kernel-hotpatch/kernel/build/build-patch";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import type { Observation } from "@kernel-hotpatch/kernel/observation";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { type Proof, proveModule } from "@kernel-hotpatch/kernel/sandbox/prove-module";
import type { Finding } from "./finding.js";
import { findingOf } from "./finding-of.js";
import type { Review } from "./review.js";
import { sandboxFindings, sandboxPart } from "./sandbox-part.js";
import { tool } from "./tool.js";
import { heaviestFirst, verdictOf } from "./verdict.js";

/**
 * Asks the object witness alone.
 * @returns a review that says that nothing was run
 * @throws Fault as `buildPatch`
 */
export async function reviewObjects(
  work: Work,
  profile: KernelProfile,
  request: BuildRequest,
): Promise<Review> {
  const built = await buildPatch(work, profile, request);
  const findings = objectFindings(profile, built);
  if (!built.module) return reviewOf(profile, built, findings);
  const notRun = findingOf({ rule: "not-run", message: "the module was built and not run" }, "sandbox");
  return reviewOf(profile, built, [...findings, notRun]);
}

/**
 * Asks the object witness and, when it made a module, the sandbox witness.
 * @param proof how the module is to be tried
 * @throws Fault as `buildPatch` and `proveModule`
 */
export async function runReview(
  work: Work,
  profile: KernelProfile,
  request: BuildRequest,
  proof: Omit<Proof, "module">,
): Promise<Review> {
  const built = await buildPatch(work, profile, request);
  const findings = objectFindings(profile, built);
  if (!built.module) return reviewOf(profile, built, findings);
  const run = await proveModule(work, profile, { ...proof, module: built.module });
  return {
    ...reviewOf(profile, built, [...findings, ...sandboxFindings(run, proof.tests.length)]),
    sandbox: sandboxPart(run),
  };
}

function reviewOf(profile: KernelProfile, built: BuildResult, findings: readonly Finding[]): Review {
  return {
    schemaVersion: 1,
    tool,
    kernel: { id: profile.id, arch: profile.arch, release: profile.release },
    patch: built.patch,
    verdict: verdictOf(findings),
    findings: heaviestFirst(findings),
    objects: built.objects,
    ...(built.module === undefined ? {} : { module: built.module }),
  };
}

function objectFindings(profile: KernelProfile, built: BuildResult): Finding[] {
  const observed = [...profileObservations(profile), ...built.observations];
  const notRead = findingOf(
    {
      rule: "not-read",
      message: "this version does not read the change's C: what it means is for a person to judge",
    },
    "source",
  );
  return [...observed.map((observation) => findingOf(observation, "object")), notRead];
}

/** What makes this machine's objects differ from the image's, whatever the patch. */
export function profileObservations({ compiler, configDrift }: KernelProfile): Observation[] {
  const observations: Observation[] = [];
  if (identity(compiler.version) !== identity(compiler.builtWith))
    observations.push({
      rule: "compiler-mismatch",
      message: `the image was built with '${compiler.builtWith}', here it is '${compiler.version}'`,
    });
  if (configDrift.length > 0)
    observations.push({
      rule: "config-drift",
      message: `options that compile differently here: ${configDrift.join(", ")}`,
    });
  return observations;
}

/** A compiler's vendor and version, without the name it was called by, which a cross compiler extends. */
function identity(versionLine: string): string {
  return versionLine.replace(/^\S+ /, "");
}
