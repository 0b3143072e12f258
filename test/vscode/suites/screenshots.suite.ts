import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import * as vscode from "vscode";
import { replace, session, show, stage, takeBack, textOf, until, untilRule } from "./on-stage.js";

const [MEMINFO, BASE] = ["fs/proc/meminfo.c", "fs/proc/base.c"];
const LINE = "\tarch_report_meminfo(m);\n";

/** Whoever runs the suites sees the line, and takes the picture. */
async function picture(name: string): Promise<void> {
  const file = join(stage.screenshots ?? "", `${name}.png`);
  rmSync(file, { force: true });
  await setTimeout(1500);
  console.log(`screenshot ${file}`);
  await until(file, () => existsSync(file));
}

const perform = (command: string, ...args: unknown[]) => vscode.commands.executeCommand(command, ...args);

describe("screenshots", () => {
  let texts: Record<string, string> = {};
  before(async () => {
    for (const path of [MEMINFO, BASE]) texts = { ...texts, [path]: await textOf(path) };
    await vscode.workspace
      .getConfiguration("editor")
      .update("minimap.enabled", false, vscode.ConfigurationTarget.Global);
  });
  afterEach(() => takeBack(texts));

  for (const [name, theme] of [
    ["light", "Default Light Modern"],
    ["dark", "Default Dark Modern"],
  ]) {
    it(name ?? "", async () => {
      await vscode.workspace
        .getConfiguration("workbench")
        .update("colorTheme", theme, vscode.ConfigurationTarget.Global);
      await perform("workbench.action.openWalkthrough", "kernel-hotpatch.kernel-hotpatch#hotpatch.start");
      await perform("workbench.action.closeSidebar");
      await picture(`walkthrough-${name}`);
      await perform("workbench.action.closeAllEditors");

      const base = await show(BASE);
      await replace(
        base,
        "\tchar buffer[TASK_COMM_LEN];\n",
        "\tchar buffer[TASK_COMM_LEN];\n\tstatic int renames;\n",
      );
      await replace(
        base,
        "\t\tset_task_comm(p, buffer);\n",
        "\t\tset_task_comm(p, buffer);\n\t\trenames++;\n",
      );
      await replace(base, "static int proc_pid_statfs_nothing", "static int proc_pid_statfs_nothing").catch(
        () => undefined,
      );
      await replace(
        base,
        ".llseek\t\t= generic_file_llseek,\n\t.release\t= single_release,\n};",
        ".release\t= single_release,\n};",
      ).catch(() => undefined);
      await untilRule(base, "static-local-added");
      await perform("hotpatch.patch.focus");
      const at = base.document.positionAt(base.document.getText().indexOf("static int renames"));
      base.selection = new vscode.Selection(at, at);
      base.revealRange(new vscode.Range(at, at), vscode.TextEditorRevealType.InCenter);
      await perform("workbench.actions.view.problems");
      await picture(`findings-${name}`);
      await perform("workbench.action.closePanel");
      await takeBack(texts);

      const meminfo = await show(MEMINFO);
      await replace(meminfo, LINE, `${LINE}\tseq_puts(m, "HotPatched:            1\\n");\n`);
      await replace(meminfo, 'seq_write(m, " kB\\n", 4);', 'seq_write(m, " KB\\n", 4);');
      const { trees, tests } = await session();
      await until("the change", () => trees.main?.verdict);
      await tests.runAll(new vscode.CancellationTokenSource().token);
      await perform("hotpatch.patch.focus");
      const changed = meminfo.document.positionAt(
        meminfo.document.getText().indexOf("static void show_val_kb"),
      );
      meminfo.revealRange(
        new vscode.Range(changed, changed),
        vscode.TextEditorRevealType.InCenterIfOutsideViewport,
      );
      await picture(`proven-${name}`);
      await perform("workbench.view.testing.focus");
      await perform("testing.expandAll").then(undefined, () => undefined);
      await picture(`tests-${name}`);
      await perform("workbench.action.closeSidebar");
      await perform("hotpatch.showPicture");
      await perform("workbench.action.focusSecondEditorGroup");
      await perform("workbench.action.joinAllGroups");
      await picture(`picture-${name}`);
    }).timeout(300_000);
  }
});
