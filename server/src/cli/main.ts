import { setMaxListeners } from "node:events";
import { exitStatus, Fault } from "@kernel-hotpatch/kernel/host/fault";
import { Command, CommanderError } from "commander";
import { asFault } from "../review/as-fault.js";
import { tool } from "../review/tool.js";
import { addBuildCommand } from "./build-command.js";
import { addCheckCommand } from "./check-command.js";
import type { Act } from "./command.js";
import { complaint } from "./complaint.js";
import { addDoctorCommand } from "./doctor-command.js";
import { addKernelCommand } from "./kernel-command.js";
import { addLspCommand } from "./lsp-command.js";
import { addObjdiffCommand } from "./objdiff-command.js";
import { addParseCommand } from "./parse-command.js";
import { addReviewCommand } from "./review-command.js";
import { addRulesCommand } from "./rules-command.js";
import type { CommonOptions } from "./session.js";
import { addTestCommand } from "./test-command.js";

process.exitCode = await hotpatch(process.argv.slice(2));

/**
 * The whole command line.
 * @returns exit status: 0 fine, 1 findings at or above --fail-on, 2 bad input or usage, 3 the machine lacks something,
 *   4 a defect of ours, 130 interrupted
 */
async function hotpatch(args: readonly string[]): Promise<number> {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    // Whoever reads our output may stop reading: that is no error.
    if (error.code === "EPIPE") return;
    const thrown = asFault(error);
    process.stderr.write(complaint(thrown, false));
    process.exit(exitStatus(thrown));
  });
  process.stderr.on("error", () => undefined);
  const stop = new AbortController();
  // Every program that runs listens for it, any number of them at once.
  setMaxListeners(0, stop.signal);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      // Every program we started dies with us; see kernel/src/host/run.ts.
      if (stop.signal.aborted) process.exit(130);
      stop.abort();
    });
  }

  let status = 0;
  const act: Act = async (command, action) => {
    const { openSession } = await import("./session.js");
    const session = openSession(command.optsWithGlobals<CommonOptions>(), stop.signal);
    try {
      status = await action(session);
    } finally {
      session.end();
    }
  };
  const program = createProgram(act, stop);
  try {
    await program.parseAsync(args, { from: "user" });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const thrown = stop.signal.aborted ? new Fault("interrupted", "interrupted") : asFault(error);
    const verbose = program.opts<CommonOptions>().verbose === true || Boolean(process.env.HOTPATCH_DEBUG);
    process.stderr.write(complaint(thrown, verbose));
    return exitStatus(thrown);
  }
}

function createProgram(act: Act, stop: AbortController): Command {
  const program = new Command("hotpatch")
    .description("Reviews kernel hot patches: what a change does to a running kernel, proven on that kernel.")
    .version(tool.version)
    .option("--json", "print JSON; the schemas are in docs/schema")
    .option("--kernel <profile>", "the kernel to patch, such as debian/latest-amd64")
    .option("--verbose", "say every step, one a line, and keep the evidence in error messages")
    .option("--no-confine", "let what a patch starts do all that you may; for patches that you trust")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "hotpatch: ")) })
    .addHelpText(
      "after",
      `
Examples:
  hotpatch doctor
  hotpatch kernel add debian/latest-amd64
  hotpatch check fix.patch
  hotpatch review fix.patch --test fix.test.sh

Exit status: 0 fine; 1 findings at or above --fail-on; 2 bad input or usage; 3 the machine lacks something;
4 a defect of ours; 130 interrupted.`,
    )
    .exitOverride();
  addDoctorCommand(program, act);
  addKernelCommand(program, act);
  addCheckCommand(program, act);
  addReviewCommand(program, act);
  addBuildCommand(program, act);
  addTestCommand(program, act);
  addObjdiffCommand(program, act);
  addLspCommand(program, stop);
  addParseCommand(program, act);
  addRulesCommand(program, act);
  return program;
}
