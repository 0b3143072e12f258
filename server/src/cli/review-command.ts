import { createHash } from "node:crypto";
import { join } from "node:path";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import type { Command } from "commander";
import { renderJson } from "../render/json.js";
import type { Severity } from "../rules/rule.js";
import type { Act } from "./command.js";
import { failOnOption } from "./fail-on.js";
import { type Format, formatOption, rendered } from "./format.js";
import { addModuleOptions, type ModuleOptions, moduleRequest } from "./module-options.js";
import type { NamedPatch } from "./patch-argument.js";
import { PATCH_HELP } from "./patch-help.js";
import type { Session } from "./session.js";
import { testOption } from "./test-option.js";
import { writeWhole } from "./write-whole.js";

interface Options extends ModuleOptions {
  readonly test?: readonly string[];
  readonly output?: string;
  readonly format: Format;
  readonly failOn: Severity;
}

export function addReviewCommand(program: Command, act: Act): void {
  addModuleOptions(program.command("review"))
    .description("build a hot patch, prove it in a sandbox, and judge it")
    .argument("[patch...]", PATCH_HELP)
    .addOption(testOption())
    .option(
      "-o, --output <folder>",
      "where patch.ko, report.json and the objects go; default: inside the cache",
    )
    .addOption(formatOption())
    .addOption(failOnOption())
    .addHelpText(
      "after",
      `
Without --test, scripts named test.sh or *.test.sh beside the patch are used, but for those of other patches.

Examples:
  hotpatch review fix.patch --test fix.test.sh
  hotpatch review --kernel debian/6.1.0-55-amd64 --format markdown v6.1.192..HEAD
  hotpatch review --fail-on needs-review --json fix.patch`,
    )
    .action((named: string[], options: Options, command: Command) =>
      act(command, (session) => review(session, named, options)),
    );
}

async function review(session: Session, named: readonly string[], options: Options): Promise<number> {
  const [{ readPatches }, { targetKernel }, { testsFor }, { bestAccelerator }, { runReview }, { reaches }] =
    await Promise.all([
      import("./patch-argument.js"),
      import("../review/target-kernel.js"),
      import("./test-files.js"),
      import("@kernel-hotpatch/kernel/sandbox/accelerator"),
      import("../review/run-review.js"),
      import("../review/verdict.js"),
    ]);
  const { work } = session;
  const patches = await readPatches(work, named);
  const files = patches.flatMap(({ file }) => (file === undefined ? [] : [file]));
  const tests = await testsFor(session, options.test ?? [], files);
  const profile = await targetKernel(work, session.kernel);
  const wanted = moduleRequest(options);
  const outputDir = options.output ?? defaultOutput(work.cache, profile, patches, wanted);
  const accelerator = await bestAccelerator(work, profile);
  const request = { patches, outputDir, ...wanted };
  const judged = await runReview(work, profile, request, { tests, accelerator });
  await writeWhole(join(outputDir, "report.json"), renderJson(judged));
  session.print(await rendered(judged, options.format, session, patches));
  return reaches(judged.findings, options.failOn) ? 1 : 0;
}

/** The same module of the same patches gives the same files, so that runs at once do not disturb each other. */
function defaultOutput(
  cache: string,
  kernel: KernelProfile,
  patches: readonly NamedPatch[],
  wanted: ReturnType<typeof moduleRequest>,
): string {
  const hash = createHash("sha256").update(kernel.id).update(JSON.stringify(wanted));
  for (const { text } of patches) hash.update(`\n${text.length}\n`).update(text);
  return join(cache, "reviews", hash.digest("hex").slice(0, 16));
}
