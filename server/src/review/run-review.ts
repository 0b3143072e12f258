import type { BuildResult } from "@kernel-hotpatch/kernel/build/build";
import { type BuildRequest, buildPatch } from "@kernel-hotpatch/kernel/build/build-patch";
import { runOk } from "@kernel-hotpatch/kernel/host/run";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import type { Observation } from "@kernel-hotpatch/kernel/observation";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { namingFullDisk } from "@kernel-hotpatch/kernel/profile/room";
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
  const { built, findings } = await askObjects(work, profile, request);
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
  const { built, findings } = await askObjects(work, profile, request);
  const { module } = built;
  if (!module) return reviewOf(profile, built, findings);
  const run = await namingFullDisk(work, () => proveModule(work, profile, { ...proof, module }));
  return {
    ...reviewOf(profile, built, [...findings, ...sandboxFindings(run, proof.tests.length)]),
    sandbox: sandboxPart(run),
  };
}

async function askObjects(
  work: Work,
  profile: KernelProfile,
  request: BuildRequest,
): Promise<{ built: BuildResult; findings: Finding[] }> {
  const { command } = profile.compiler;
  const [version = ""] = (await runOk(work, [command, "--version"])).split("\n");
  const built = await namingFullDisk(work, () => buildPatch(work, profile, request));
  const observed = [...profileObservations(profile, version), ...built.observations];
  const findings = observed.map((observation) => findingOf(observation, "object"));
  return { built, findings: [...findings, findingOf(NOT_READ, "source")] };
}

const NOT_READ: Observation = {
  rule: "not-read",
  message: "this version does not read the change's C: what it means is for a person to judge",
};

function reviewOf(profile: KernelProfile, built: BuildResult, findings: readonly Finding[]): Review {
  return {
    schemaVersion: 1,
    tool,
    kernel: { id: profile.id, arch: profile.arch, release: profile.release },
    patch: built.patch,
    verdict: verdictOf(findings),
    witnesses: ["object"],
    findings: heaviestFirst(findings),
    objects: built.objects,
    ...(built.module === undefined ? {} : { module: built.module }),
  };
}

/**
 * What makes this machine's objects differ from the image's, whatever the patch.
 * @param version first line of what the compiler says of itself now
 */
export function profileObservations(
  { compiler, configDrift }: Pick<KernelProfile, "compiler" | "configDrift">,
  version: string,
): Observation[] {
  const observations: Observation[] = [];
  if (identity(version) !== identity(compiler.builtWith))
    observations.push({
      rule: "compiler-mismatch",
      message: `the image was built with '${compiler.builtWith}', here it is '${version}'`,
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
