import assert from "node:assert/strict";
import * as vscode from "vscode";
import { MEMINFO } from "./meminfo.js";
import { findings, replace, session, show, takeBackAfterEach, until, untilRule } from "./on-stage.js";

describe("the language server", () => {
  takeBackAfterEach(MEMINFO);

  it("killed, starts once more with the reason shown, and nothing is lost", async () => {
    const editor = await show(MEMINFO);
    const { server, status } = await session();
    await replace(editor, "#include <linux/fs.h>\n", "#include <linux/fs.h>\nstatic int more_of_it;\n");
    await untilRule(editor, "data-added");
    const { pid } = server;
    assert.ok(pid !== undefined);
    process.kill(pid, "SIGKILL");
    await until("another server", () => server.pid !== undefined && server.pid !== pid);
    await until(
      "a status with the reason",
      () => /hot patch: /.test(status.text) && /SIGKILL/.test(status.tooltip),
    );
    assert.ok(editor.document.isDirty);
    // It was told the text that is not saved, and goes on from there.
    await replace(editor, "static int more_of_it;\n", "");
    await until("no finding", () => findings(editor).length === 0);
    await replace(editor, "#include <linux/fs.h>\n", "#include <linux/fs.h>\nstatic int even_more;\n");
    const found = await untilRule(editor, "data-added");
    assert.match(found.message, /even_more/);
  });

  it("killed twice, stays down and says so, until it is asked to start", async () => {
    const editor = await show(MEMINFO);
    await replace(editor, "#include <linux/fs.h>\n", "#include <linux/fs.h>\nstatic int more_of_it;\n");
    await untilRule(editor, "data-added");
    const { server, status } = await session();
    const { pid } = server;
    assert.ok(pid !== undefined);
    process.kill(pid, "SIGKILL");
    await until("a status that says so", () => /server ended/.test(status.text));
    await vscode.commands.executeCommand("hotpatch.restartServer");
    await until(
      "the status of the tree",
      () => /hot patch: /.test(status.text) && !/ended/.test(status.text),
    );
    await untilRule(editor, "data-added");
  });
});
