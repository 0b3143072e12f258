import { join } from "node:path";
import type { Command } from "commander";
import { renderJson } from "../render/json.js";
import type { Severity } from "../rules/rule.js";
import type { Act } from "./command.js";
import { failOnOption } from "./fail-on.js";
import { addModuleOptions, type ModuleOptions, moduleRequest } from "./module-options.js";
import { PATCH_HELP } from "./patch-help.js";
import type { Session } from "./session.js";
import { writeWhole } from "./write-whole.js";

interface Options extends ModuleOptions {
  readonly output: string;
  readonly failOn: Severity;
}

export function addBuildCommand(program: Command, act: Act): void {
  addModuleOptions(program.command("build"))
    .description("compile a change before and after, and make a loadable patch.ko of the difference")
    .argument("[patch...]", PATCH_HELP)
    .requiredOption("-o, --output <folder>", "where patch.ko, report.json and the objects go")
    .addOption(failOnOption())
    .addHelpText(
      "after",
      "\nExamples:\n  hotpatch build fix.patch -o out\n  git diff | hotpatch build - -o out",
    )
    .action((named: string[], options: Options, command: Command) =>
      act(command, (session) => build(session, named, options)),
    );
}

async function build(session: Session, named: readonly string[], options: Options): Promise<number> {
  const [{ readPatches }, { targetKernel }, { reviewObjects }, { reaches }, { renderReviewText }] =
    await Promise.all([
      import("./patch-argument.js"),
      import("../review/target-kernel.js"),
      import("../review/run-review.js"),
      import("../review/verdict.js"),
      import("../render/text.js"),
    ]);
  const patches = await readPatches(session.work, named);
  const profile = await targetKernel(session.work, session.kernel);
  const review = await reviewObjects(session.work, profile, {
    patches,
    outputDir: options.output,
    ...moduleRequest(options),
  });
  await writeWhole(join(options.output, "report.json"), renderJson(review));
  session.report(review, (colors) => renderReviewText(review, colors));
  return reaches(review.findings, options.failOn) ? 1 : 0;
}
