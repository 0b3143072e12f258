import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import * as vscode from "vscode";
import { MEMINFO } from "./meminfo.js";
import { replace, session, show, stage, takeBackAfterEach, until, untilRule } from "./on-stage.js";
import { BASE, countRenames, MEMBER, SCHED } from "./renames.js";

/** Whoever runs the suites sees the line, and takes the picture; so it is with keys. */
async function picture(name: string): Promise<void> {
  const file = join(stage.screenshots ?? "", `${name}.png`);
  rmSync(file, { force: true });
  // Lenses come when the editor has time for them.
  await setTimeout(5000);
  console.log(`screenshot ${file}`);
  await until(file, () => existsSync(file));
}

async function press(key: string): Promise<void> {
  console.log(`press ${key}`);
  await setTimeout(1000);
}

const perform = async (command: string, ...args: unknown[]): Promise<void> => {
  await vscode.commands.executeCommand(command, ...args);
};

async function reveal(editor: vscode.TextEditor, words: string): Promise<void> {
  await vscode.window.showTextDocument(editor.document, { preserveFocus: false });
  const at = editor.document.positionAt(editor.document.getText().indexOf(words));
  editor.selection = new vscode.Selection(at, at);
  editor.revealRange(new vscode.Range(at, at), vscode.TextEditorRevealType.InCenter);
}

const set = async (section: string, name: string, value: unknown) =>
  await vscode.workspace.getConfiguration(section).update(name, value, vscode.ConfigurationTarget.Global);

describe("screenshots", () => {
  takeBackAfterEach(MEMINFO, BASE, SCHED);
  before(async () => {
    await set("editor", "minimap.enabled", false);
  });

  for (const [name, theme] of Object.entries({
    light: "Default Light Modern",
    dark: "Default Dark Modern",
  })) {
    it(`${name}: before anything differs`, async () => {
      await set("workbench", "colorTheme", theme);
      await perform("workbench.action.openWalkthrough", "kernel-hotpatch.kernel-hotpatch#hotpatch.start");
      await perform("workbench.action.closeSidebar");
      await picture(`walkthrough-${name}`);
      await perform("workbench.action.closeAllEditors");
      await perform("hotpatch.doctor");
      await picture(`doctor-${name}`);
      await show(MEMINFO);
      const picked = perform("hotpatch.pickKernel");
      await setTimeout(10_000);
      await picture(`kernels-${name}`);
      await perform("workbench.action.closeQuickOpen");
      await picked;
    });

    it(`${name}: findings`, async () => {
      await countRenames();
      const header = await show(SCHED);
      await replace(header, `${MEMBER}\n`, `${MEMBER}\n\tint\t\t\t\trenames;\n`);
      await untilRule(header, "data-layout");
      await perform("hotpatch.patch.focus");
      await perform("workbench.actions.view.problems");
      await reveal(header, "renames;");
      await perform("editor.action.showHover");
      await picture(`findings-${name}`);
      await perform("workbench.action.closePanel");
    });

    it(`${name}: a proof`, async () => {
      const base = await show(BASE);
      await replace(
        base,
        "const size_t maxlen = sizeof(buffer) - 1;",
        "const size_t maxlen = sizeof(buffer) - 2;",
      );
      const meminfo = await show(MEMINFO);
      await replace(meminfo, 'seq_write(m, " kB\\n", 4);', 'seq_write(m, " KB\\n", 4);');
      const { trees } = await session();
      await until("the change", () => trees.main?.verdict ?? undefined);
      await perform("hotpatch.review");
      await perform("notifications.clearAll");
      await perform("workbench.action.closePanel");
      await perform("hotpatch.patch.focus");
      await reveal(meminfo, "static void show_val_kb");
      await picture(`proven-${name}`);
      await perform("workbench.view.testing.focus");
      // From the filter to the tree, and its second entry, the script.
      for (const key of ["ArrowDown", "ArrowRight", "ArrowDown", "ArrowDown", "ArrowRight"]) await press(key);
      await picture(`tests-${name}`);
      await perform("workbench.action.closeSidebar");
      await perform("hotpatch.showPicture");
      await perform("workbench.action.focusSecondEditorGroup");
      await perform("workbench.action.joinAllGroups");
      await picture(`picture-${name}`);
    });
  }
});
