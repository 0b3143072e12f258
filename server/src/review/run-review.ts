import type { BuildResult } from "@kernel-hotpatch/kernel/build/build";
import { type BuildRequest, buildPatch } from "@kernel-hotpatch/kernel/build/build-patch";
import { BUILD_LIMITS } from "@kernel-hotpatch/kernel/build/patch-limits";
import { runOk } from "@kernel-hotpatch/kernel/host/run";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import type { Observation } from "@kernel-hotpatch/kernel/observation";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { namingFullDisk } from "@kernel-hotpatch/kernel/profile/room";
import { type Proof, proveModule } from "@kernel-hotpatch/kernel/sandbox/prove-module";
import { WITNESSES } from "../rules/rule.js";
import { treeOfProfile } from "../tree/open-tree.js";
import { type AppliedPatch, applyToTree } from "./applied-patch.js";
import { sourceFindings, withSuppressions } from "./check.js";
import type { Finding } from "./finding.js";
import { findingOf } from "./finding-of.js";
import { mergeWitnesses } from "./merge-witnesses.js";
import type { Review } from "./review.js";
import { sandboxFindings, sandboxPart } from "./sandbox-part.js";
import { tool } from "./tool.js";
import { heaviestFirst, verdictOf } from "./verdict.js";

/**
 * Asks the object witness alone.
 * @returns a review that says that nobody read the source, and that nothing was run
 * @throws Fault as `buildPatch`
 */
export async function reviewObjects(
  work: Work,
  profile: KernelProfile,
  request: BuildRequest,
): Promise<Review> {
  const { built, findings } = await askObjects(work, profile, request);
  const unasked = [findingOf({ rule: "not-read", message: "only the objects were looked at" }, "source")];
  if (built.module)
    unasked.push(findingOf({ rule: "not-run", message: "the module was built and not run" }, "sandbox"));
  return reviewOf(profile, built, ["object"], [...findings, ...unasked]);
}

/**
 * Asks all three witnesses: the source and the objects, which are brought together, and, when there is a module, the
 * sandbox.
 * @param proof how the module is to be tried
 * @throws Fault as `buildPatch`, `checkPatch` and `proveModule`
 */
export async function runReview(
  work: Work,
  profile: KernelProfile,
  request: BuildRequest,
  proof: Omit<Proof, "module">,
): Promise<Review> {
  const [{ built, findings: seen }, { patch, findings: read }] = await Promise.all([
    askObjects(work, profile, request),
    askSource(work, profile, request),
  ]);
  const merged = mergeWitnesses(read, seen, built.objects);
  const { module } = built;
  if (!module) return reviewOf(profile, built, ["source", "object"], withSuppressions(patch, merged));
  const run = await namingFullDisk(work, () => proveModule(work, profile, { ...proof, module }));
  const findings = withSuppressions(patch, [...merged, ...sandboxFindings(run, proof.tests.length)]);
  return { ...reviewOf(profile, built, WITNESSES, findings), sandbox: sandboxPart(run) };
}

async function askSource(
  work: Work,
  profile: KernelProfile,
  { patches }: BuildRequest,
): Promise<{ patch: AppliedPatch; findings: Finding[] }> {
  const tree = await treeOfProfile(profile, work.cache);
  const patch = await applyToTree(work, tree.root, patches, BUILD_LIMITS);
  return { patch, findings: await sourceFindings(work, tree, patch) };
}

async function askObjects(
  work: Work,
  profile: KernelProfile,
  request: BuildRequest,
): Promise<{ built: BuildResult; findings: Finding[] }> {
  const { command, cc1 } = profile.compiler;
  // What stands beside the profile does not change; an installed compiler may.
  const [version = ""] = cc1
    ? [profile.compiler.version]
    : (await runOk(work, [command, "--version"])).split("\n");
  const built = await namingFullDisk(work, () => buildPatch(work, profile, request));
  const observed = [...profileObservations(profile, version), ...built.observations];
  return { built, findings: observed.map((observation) => findingOf(observation, "object")) };
}

function reviewOf(
  profile: KernelProfile,
  built: BuildResult,
  witnesses: Review["witnesses"],
  findings: readonly Finding[],
): Review {
  return {
    schemaVersion: 1,
    tool,
    kernel: { id: profile.id, arch: profile.arch, release: profile.release },
    patch: built.patch,
    verdict: verdictOf(findings),
    witnesses,
    findings: heaviestFirst(findings),
    objects: built.objects,
    ...(built.runPre === undefined ? {} : { runPre: built.runPre }),
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
