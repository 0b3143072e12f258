import type { Command } from "commander";
import type { Severity } from "../rules/rule.js";
import type { Act } from "./command.js";
import { failOnOption } from "./fail-on.js";
import { type Format, formatOption, rendered } from "./format.js";
import { PATCH_HELP } from "./patch-help.js";
import type { Session } from "./session.js";

interface Options {
  readonly tree?: string;
  readonly format: Format;
  readonly failOn: Severity;
}

export function addCheckCommand(program: Command, act: Act): void {
  program
    .command("check")
    .description(
      "read what a change means, and say what is unsafe to hot patch; needs no compiler and no network",
    )
    .argument("[patch...]", PATCH_HELP)
    .option("--tree <folder>", "the kernel tree to check against, with its .config if it has one")
    .addOption(formatOption())
    .addOption(failOnOption())
    .addHelpText(
      "after",
      `
Without --kernel and --tree, the change is checked against the kernel that reviews would use; when none was added,
against the kernel tree that the current folder is in. There, a range or the changes since HEAD need not apply anywhere.

Examples:
  hotpatch check fix.patch
  hotpatch check --tree ~/linux 0001-first.patch 0002-second.patch
  git diff | hotpatch check --fail-on needs-review -
  hotpatch check --format sarif v6.1.192..HEAD > check.sarif`,
    )
    .action((named: string[], options: Options, command: Command) =>
      act(command, (session) => check(session, named, options)),
    );
}

async function check(session: Session, named: readonly string[], options: Options): Promise<number> {
  const [{ targetTree }, { patchInput }, { checkPatch }, { reaches }] = await Promise.all([
    import("./target-tree.js"),
    import("./patch-input.js"),
    import("../review/check.js"),
    import("../review/verdict.js"),
  ]);
  const { work } = session;
  const tree = await targetTree(work, session.kernel, options.tree);
  const { applied, patches } = await patchInput(work, tree, named);
  const review = await checkPatch(work, tree, applied);
  session.print(await rendered(review, options.format, session, patches));
  return reaches(review.findings, options.failOn) ? 1 : 0;
}
