import assert from "node:assert/strict";
import * as vscode from "vscode";
import { MEMINFO } from "./meminfo.js";
import { replace, session, show, takeBackAfterEach, until, untilRule, working } from "./on-stage.js";

describe("a workspace that is not trusted", () => {
  takeBackAfterEach(MEMINFO);

  it("shows findings, and builds and boots nothing", async () => {
    assert.equal(vscode.workspace.isTrusted, false);
    const settings = vscode.workspace.getConfiguration("hotpatch");
    await settings.update("objectWitness", "onSave", vscode.ConfigurationTarget.Global);
    const editor = await show(MEMINFO);
    await replace(editor, "#include <linux/fs.h>\n", "#include <linux/fs.h>\nstatic int more_of_it;\n");
    await untilRule(editor, "data-added");
    await editor.document.save();
    assert.equal(await vscode.commands.executeCommand("hotpatch.build"), undefined);
    assert.equal(await vscode.commands.executeCommand("hotpatch.review"), undefined);
    const { tests, trees } = await session();
    await until("the tree's state", () => trees.main?.verdict);
    await tests.runAll(new vscode.CancellationTokenSource().token);
    assert.equal(tests.outcomes.get("build"), "errored");
    assert.equal(trees.main?.review, null);
    assert.deepEqual(await working(/qemu-system|\bcc1\b|^\S*make /), []);
    // The source witness needs no trust.
    assert.ok(await vscode.commands.executeCommand("hotpatch.check"));
  });
});
