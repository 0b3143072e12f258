import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as vscode from "vscode";
import { WHOLE } from "../whole.js";
import { extension, findings, replace, session, show, stage, until, untilRule } from "./on-stage.js";

describe("activation", () => {
  it("adds no more than 150 ms to the extension host", async () => {
    const api = await extension().activate();
    // By the processor's time: other tests run beside these.
    const begun = process.cpuUsage();
    api.session();
    const { user, system } = process.cpuUsage(begun);
    const milliseconds = (user + system) / 1000;
    assert.ok(milliseconds < 150, `${milliseconds} ms`);
  });

  it("brings every command that its manifest names", async () => {
    const known = new Set(await vscode.commands.getCommands());
    const { contributes } = extension().packageJSON;
    const missing = contributes.commands.filter(({ command }: { command: string }) => !known.has(command));
    assert.deepEqual(missing, []);
  });

  it("leaves C files outside of kernel trees alone", async () => {
    const document = await vscode.workspace.openTextDocument({ language: "c", content: "int a;\n" });
    await vscode.window.showTextDocument(document);
    assert.deepEqual(vscode.languages.getDiagnostics(document.uri), []);
    await vscode.commands.executeCommand("workbench.action.closeActiveEditor");
  });

  it("judges a file of a whole kernel tree without anything being saved", async () => {
    const before = readFileSync(join(stage.whole, WHOLE));
    const editor = await show(WHOLE, stage.whole);
    await replace(
      editor,
      "sysctl_sched_nr_migrate = SCHED_NR_MIGRATE_BREAK;",
      "sysctl_sched_nr_migrate = 7;",
    );
    const found = await untilRule(editor, "static-data-changed");
    assert.match(found.message, /sysctl_sched_nr_migrate/);
    await vscode.commands.executeCommand("workbench.action.files.revert");
    await until("no finding", () => findings(editor).length === 0);
    await vscode.commands.executeCommand("workbench.action.closeActiveEditor");
    assert.ok(before.equals(readFileSync(join(stage.whole, WHOLE))));
  });

  it("shows the kernel in the status bar", async () => {
    await show("fs/proc/meminfo.c");
    const { status } = await session();
    await until("the kernel's name", () => status.text.includes(stage.kernel));
  });
});
