import type { DoctorReport } from "@kernel-hotpatch/server/doctor/report";
import * as vscode from "vscode";
import { askHotpatch, type HotpatchProgram } from "./hotpatch-program";

/** Says what this machine has and lacks, in the log, and what to do in one line. @throws HotpatchError */
export async function doctor(program: HotpatchProgram, log: vscode.LogOutputChannel): Promise<DoctorReport> {
  const report = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Window, title: "Looking at this machine" },
    () => askHotpatch<DoctorReport>(program, ["doctor"], { answers: [0, 3] }),
  );
  for (const { name, found, why, remedy, package: debian, optional } of report.requirements) {
    const said =
      found ??
      `${optional ? "not there" : "MISSING"}${debian ? `: apt-get install ${debian}` : ""}${remedy ? `: ${remedy}` : ""}`;
    log.info(`${name.padEnd(28)} ${said} (${why})`);
  }
  void tell(report, log);
  return report;
}

async function tell(
  { ready, requirements, install }: DoctorReport,
  log: vscode.LogOutputChannel,
): Promise<void> {
  const [copy, show] = ["Copy the Command", "Show Details"];
  const missing = requirements.filter(({ found, optional }) => found === undefined && !optional);
  const answer = ready
    ? await vscode.window.showInformationMessage(
        "This machine has all that building and proving hot patches needs.",
        show,
      )
    : await vscode.window.showWarningMessage(
        `Missing: ${missing.map(({ name }) => name).join(", ")}. Findings in the editor need none of it.`,
        ...(install === null ? [show] : [copy, show]),
      );
  if (answer === copy && install !== null) await vscode.env.clipboard.writeText(install);
  if (answer === show) log.show(true);
}
