import type { DoctorReport } from "@kernel-hotpatch/server/doctor/report";
import * as vscode from "vscode";
import { askHotpatch, type HotpatchProgram } from "./hotpatch-program";

/** What the doctor says, as a document that is read and not saved. */
const PLACE = vscode.Uri.from({ scheme: "hotpatch-doctor", path: "Hot Patch Doctor" });

/** Asks what this machine has and lacks, and shows it. */
export class Doctor implements vscode.TextDocumentContentProvider {
  readonly #program: HotpatchProgram;
  readonly #changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.#changed.event;
  readonly #registration = vscode.workspace.registerTextDocumentContentProvider(PLACE.scheme, this);
  #text = "";

  constructor(program: HotpatchProgram) {
    this.#program = program;
  }

  provideTextDocumentContent(): string {
    return this.#text;
  }

  /** @throws HotpatchError */
  async ask(): Promise<DoctorReport> {
    const report = await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Window, title: "Looking at this machine" },
      () => askHotpatch<DoctorReport>(this.#program, ["doctor"], { answers: [0, 3] }),
    );
    this.#text = textOf(report);
    this.#changed.fire(PLACE);
    await vscode.window.showTextDocument(PLACE, { preview: true });
    void offerInstall(report);
    return report;
  }

  dispose(): void {
    this.#registration.dispose();
    this.#changed.dispose();
  }
}

function textOf({ ready, requirements, install }: DoctorReport): string {
  const lines = requirements.map(({ name, found, why, remedy, package: debian, optional }) => {
    const missing = debian === undefined ? remedy : `apt-get install ${debian}`;
    const said = found ?? `${optional ? "not there" : "MISSING"}${missing ? `: ${missing}` : ""}`;
    return `${name.padEnd(26)}${said.padEnd(24)}  ${why}`;
  });
  const verdict = ready
    ? "This machine has all that building and proving hot patches needs."
    : `This machine lacks something.${install === null ? "" : ` Install it with:\n\n    ${install}`}\n\nFindings in the editor need none of it.`;
  return [verdict, "", ...lines, ""].join("\n");
}

async function offerInstall({ ready, install }: DoctorReport): Promise<void> {
  if (ready || install === null) return;
  const copy = "Copy the Command";
  const answer = await vscode.window.showWarningMessage("This machine lacks Debian packages.", copy);
  if (answer === copy) await vscode.env.clipboard.writeText(install);
}
