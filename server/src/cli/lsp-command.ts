import type { Command } from "commander";
import type { CommonOptions } from "./session.js";

/**
 * Serves an editor; it is no command with a result, so that it runs in no session.
 * @param stop ends what runs for the editor; when a signal does, the server ends too
 */
export function addLspCommand(program: Command, stop: AbortController): void {
  program
    .command("lsp")
    .description("serve an editor: findings as you type, over the language server protocol")
    .option("--stdio", "speak on standard input and output, which is the only way")
    .option("--clientProcessId <pid>", "end when that process does")
    .addHelpText("after", "\nHow editors start it: docs/editors.md")
    .action(async (_options: unknown, command: Command) => {
      const { confine } = command.optsWithGlobals<CommonOptions>();
      process.on("exit", () => stop.abort());
      // In a turn of its own: by then all who listen have ended what they started.
      stop.signal.addEventListener("abort", () => setImmediate(() => process.exit(130)));
      const [{ defaultCache }, { serve }] = await Promise.all([
        import("@kernel-hotpatch/kernel/host/work"),
        import("../lsp/serve.js"),
      ]);
      serve(
        { signal: stop.signal, cache: defaultCache(), progress: () => undefined, unconfined: !confine },
        process.stdin,
        process.stdout,
      );
    });
}
