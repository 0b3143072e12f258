import type { Command } from "commander";
import type { Severity } from "../rules/rule.js";
import type { Act } from "./command.js";
import { failOnOption } from "./fail-on.js";
import { wholeNumberTo } from "./number-option.js";
import type { Session } from "./session.js";
import { testOption } from "./test-option.js";

interface Options {
  readonly test?: readonly string[];
  readonly cycles?: number;
  readonly cpus?: number;
  readonly failOn: Severity;
}

export function addTestCommand(program: Command, act: Act): void {
  program
    .command("test")
    .description("load a patch.ko into its kernel in a sandbox, and take it out again")
    .argument("<patch.ko>", "as 'hotpatch build' makes it")
    .addOption(testOption())
    .option("--cycles <number>", "how often it is loaded and removed", wholeNumberTo(1000))
    .option("--cpus <number>", "processors of the guest", wholeNumberTo(64))
    .addOption(failOnOption())
    .addHelpText("after", "\nExample:\n  hotpatch test out/patch.ko --test fix.test.sh --cpus 2")
    .action((path: string, options: Options, command: Command) =>
      act(command, (session) => test(session, path, options)),
    );
}

async function test(session: Session, path: string, options: Options): Promise<number> {
  const [{ runTest }, { bestAccelerator }, { targetKernel }, { testsFor }, { renderTestText }, { reaches }] =
    await Promise.all([
      import("../review/run-test.js"),
      import("@kernel-hotpatch/kernel/sandbox/accelerator"),
      import("../review/target-kernel.js"),
      import("./test-files.js"),
      import("../render/text.js"),
      import("../review/verdict.js"),
    ]);
  const profile = await targetKernel(session.work, session.kernel);
  const tests = await testsFor(session, options.test ?? [], []);
  const report = await runTest(session.work, profile, path, {
    tests,
    accelerator: await bestAccelerator(session.work, profile),
    ...(options.cycles === undefined ? {} : { cycles: options.cycles }),
    ...(options.cpus === undefined ? {} : { cpus: options.cpus }),
  });
  session.report(report, (colors) => renderTestText(report, colors));
  return reaches(report.findings, options.failOn) ? 1 : 0;
}
