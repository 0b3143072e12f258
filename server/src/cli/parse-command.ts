import type { Command } from "commander";
import { cannotRead } from "./cannot-read.js";
import type { Act } from "./command.js";
import type { Session } from "./session.js";

export function addParseCommand(program: Command, act: Act): void {
  program
    .command("parse")
    .description("report what the grammar of kernel C cannot read in these files")
    .argument("<file...>", "C sources or headers")
    .addHelpText("after", "\nExample:\n  hotpatch parse kernel/sched/core.c include/linux/sched.h")
    .action((files: string[], _options: object, command: Command) =>
      act(command, (session) => parse(session, files)),
    );
}

async function parse(session: Session, files: readonly string[]): Promise<number> {
  const [{ loadEngine }, { parseFiles }, { renderParseText }] = await Promise.all([
    import("../syntax/engine.js"),
    import("../syntax/parse-files.js"),
    import("../render/parse.js"),
  ]);
  const report = await parseFiles(await loadEngine(), files, session.work).catch(
    (cause: NodeJS.ErrnoException) => {
      throw cause.code !== undefined && typeof cause.path === "string"
        ? cannotRead(cause.path, cause)
        : cause;
    },
  );
  session.report(report, (colors) => renderParseText(report, colors));
  return report.errors.length > 0 ? 1 : 0;
}
