import type { Command } from "commander";

/** Serves an editor; it is no command with a result, so that it runs in no session. */
export function addLspCommand(program: Command): void {
  program
    .command("lsp")
    .description("serve an editor: findings as you type, over the language server protocol")
    .option("--stdio", "speak on standard input and output, which is the only way")
    .option("--clientProcessId <pid>", "end when that process does")
    .addHelpText("after", "\nHow editors start it: docs/editors.md")
    .action(async () => {
      const [{ defaultCache }, { serve }] = await Promise.all([
        import("@kernel-hotpatch/kernel/host/work"),
        import("../lsp/serve.js"),
      ]);
      const stop = new AbortController();
      process.on("exit", () => stop.abort());
      serve(
        { signal: stop.signal, cache: defaultCache(), progress: () => undefined },
        process.stdin,
        process.stdout,
      );
    });
}
