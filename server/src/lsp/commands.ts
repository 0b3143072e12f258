import { createHash } from "node:crypto";
import { join } from "node:path";
import type { FileChange } from "@kernel-hotpatch/kernel/build/patch-files";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import type { SandboxTest } from "@kernel-hotpatch/kernel/sandbox/sandbox-test";
import type { Review, TestReport } from "../review/review.js";
import type { KernelTree } from "./kernel-tree.js";
import { patchOf } from "./patch-of.js";
import { isObject } from "./settings.js";

/** What an editor names a command with, in its one argument. */
export interface CommandTarget {
  /** A document of the tree whose change is meant; not needed where one tree is open. */
  readonly uri: string | undefined;
  /** A `patch.ko`; by default the one that was built last. */
  readonly module: string | undefined;
  /** Scripts that the sandbox runs. */
  readonly tests: readonly string[];
  /** Where `patch.ko` and the objects go; by default inside the cache. */
  readonly output: string | undefined;
  /** Another kernel to try the change on than that of the tree, as `--kernel` takes it. */
  readonly kernel?: string | undefined;
}

export function readTarget(argument: unknown): CommandTarget {
  const { uri, module, tests, output, kernel } = isObject(argument) ? argument : {};
  const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);
  return {
    uri: typeof argument === "string" ? argument : text(uri),
    module: text(module),
    tests: Array.isArray(tests) ? tests.filter((test) => typeof test === "string") : [],
    output: text(output),
    kernel: text(kernel),
  };
}

// What they need is loaded when they run: nobody waits for it who opens a file.
type Run = (work: Work, tree: KernelTree, target: CommandTarget) => Promise<Review | TestReport>;

/** The commands by their names. @throws Fault each as the command of that name on the command line */
export const COMMANDS: Readonly<Record<string, { readonly title: string; readonly run: Run }>> = {
  "hotpatch.check": { title: "Checking the change", run: check },
  "hotpatch.build": { title: "Building the hot patch", run: build },
  "hotpatch.test": { title: "Testing the hot patch", run: test },
  "hotpatch.review": { title: "Reviewing the change", run: review },
};

async function check(work: Work, tree: KernelTree): Promise<Review> {
  const { checkPatch } = await import("../review/check.js");
  const changes = changesOf(tree);
  const hash = createHash("sha256").update(patchOf("", changes).text);
  return await checkPatch(work, tree.target.tree, {
    changes,
    sha256: hash.digest("hex"),
    description: "",
    observations: [],
  });
}

/** Asks the objects, and has the tree's files show what they say. */
export async function build(
  work: Work,
  tree: KernelTree,
  target: Pick<CommandTarget, "output" | "kernel">,
): Promise<Review> {
  const profile = await profileOf(work, tree, target);
  const changes = changesOf(tree);
  const request = requestOf(work, tree, profile, changes, target.output);
  const { reviewObjects } = await import("../review/run-review.js");
  const review = await reviewObjects(work, profile, request);
  if (target.kernel === undefined) tree.answer(review, changes);
  return review;
}

async function review(work: Work, tree: KernelTree, target: CommandTarget): Promise<Review> {
  const profile = await profileOf(work, tree, target);
  const tests = await testsOf(target);
  const changes = changesOf(tree);
  const request = requestOf(work, tree, profile, changes, target.output);
  const [{ bestAccelerator }, { runReview }] = await Promise.all([
    import("@kernel-hotpatch/kernel/sandbox/accelerator"),
    import("../review/run-review.js"),
  ]);
  const accelerator = await bestAccelerator(work, profile);
  const judged = await runReview(work, profile, request, { tests, accelerator });
  if (target.kernel === undefined) tree.answer(judged, changes);
  return judged;
}

async function test(work: Work, tree: KernelTree, target: CommandTarget): Promise<TestReport> {
  const profile = await profileOf(work, tree, target);
  const module = target.module ?? tree.objects()?.module?.path;
  if (module === undefined)
    throw new Fault("bad-input", "there is no module of the change as it is now", {
      remedy: "build it first, with hotpatch.build",
    });
  const tests = await testsOf(target);
  const [{ bestAccelerator }, { runTest }] = await Promise.all([
    import("@kernel-hotpatch/kernel/sandbox/accelerator"),
    import("../review/run-test.js"),
  ]);
  return await runTest(work, profile, module, { tests, accelerator: await bestAccelerator(work, profile) });
}

async function testsOf({ tests }: CommandTarget): Promise<SandboxTest[]> {
  const { readTest } = await import("@kernel-hotpatch/kernel/sandbox/sandbox-test");
  return await Promise.all(tests.map(readTest));
}

function requestOf(
  work: Work,
  tree: KernelTree,
  profile: KernelProfile,
  changes: readonly FileChange[],
  output: string | undefined,
) {
  const patch = patchOf("editor.patch", changes);
  const hash = createHash("sha256").update(`${profile.id}\n${tree.root}\n`).digest("hex").slice(0, 16);
  return { patches: [patch], outputDir: output ?? join(work.cache, "reviews", `editor-${hash}`) };
}

function changesOf(tree: KernelTree) {
  const changes = tree.changes();
  if (changes.length === 0)
    throw new Fault("bad-input", `nothing differs from ${tree.base.name}: there is no patch to look at`);
  return changes;
}

async function profileOf(
  work: Work,
  { target }: KernelTree,
  { kernel }: Pick<CommandTarget, "kernel">,
): Promise<KernelProfile> {
  if (kernel !== undefined)
    return await (await import("../review/target-kernel.js")).targetKernel(work, kernel);
  if (target.profile) return target.profile;
  throw new Fault("bad-input", `no kernel was added that ${target.tree.id} is the source of`, {
    remedy:
      "name one with the setting hotpatch.kernel, add one with 'hotpatch kernel add'; 'hotpatch doctor' says what else is missing",
  });
}
