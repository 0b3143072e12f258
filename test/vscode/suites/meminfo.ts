import * as vscode from "vscode";
import { replace, session, show, until } from "./on-stage.js";

export const MEMINFO = "fs/proc/meminfo.c";

/** Has /proc/meminfo print one line more. @param number what it says; the test on the stage wants 1 */
export async function changeMeminfo(number: number): Promise<void> {
  await replace(await show(MEMINFO), LINE, `${LINE}\tseq_puts(m, "HotPatched:            ${number}\\n");\n`);
  const { trees } = await session();
  await until("the change", () => trees.main?.verdict ?? undefined);
}

const LINE = "\tarch_report_meminfo(m);\n";

/** Runs everything in the Test Explorer. @returns the outcomes by the names of steps */
export async function prove(token = new vscode.CancellationTokenSource().token) {
  const { tests } = await session();
  await tests.runAll(token);
  return Object.fromEntries(tests.outcomes);
}
