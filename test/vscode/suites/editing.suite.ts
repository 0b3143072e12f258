import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import type { Review } from "@kernel-hotpatch/server/review/review";
import * as vscode from "vscode";
import { changeMeminfo, MEMINFO } from "./meminfo.js";
import { findings, replace, ruleOf, session, show, takeBackAfterEach, until, untilRule } from "./on-stage.js";
import { BASE, countRenames, MEMBER, SCHED } from "./renames.js";

const setting = async (name: string, value: unknown) =>
  await vscode.workspace
    .getConfiguration("hotpatch")
    .update(name, value, vscode.ConfigurationTarget.Workspace);

const lenses = async ({ document }: vscode.TextEditor) =>
  (
    await vscode.commands.executeCommand<vscode.CodeLens[]>(
      "vscode.executeCodeLensProvider",
      document.uri,
      20,
    )
  ).map(({ command }) => command?.title ?? "");

describe("editing", () => {
  takeBackAfterEach(MEMINFO, BASE, SCHED);

  it("a struct member is underlined, and its fix makes a shadow variable that compiles", async () => {
    const base = await countRenames();
    const header = await show(SCHED);
    const { document } = header;
    const after = document.positionAt(document.getText().indexOf(MEMBER) + MEMBER.length);
    header.selection = new vscode.Selection(after, after);
    // Key by key, as a person does; the editor indents.
    for (const text of "\nint renames;") await vscode.commands.executeCommand("type", { text });
    const found = await untilRule(header, "data-layout");
    assert.equal(found.severity, vscode.DiagnosticSeverity.Error);
    const fix = await until("a fix", async () => {
      const actions = await vscode.commands.executeCommand<vscode.CodeAction[]>(
        "vscode.executeCodeActionProvider",
        document.uri,
        found.range,
        vscode.CodeActionKind.QuickFix.value,
      );
      return actions.find(({ title }) => /shadow/i.test(title));
    });
    assert.ok(fix.edit && (await vscode.workspace.applyEdit(fix.edit)));
    const text = base.document.getText();
    assert.match(text, /klp_shadow_get_or_alloc/);
    const review = await vscode.commands.executeCommand<Review>("hotpatch.build", base.document.uri);
    assert.deepEqual(
      review.findings.filter(({ rule }) => rule === "does-not-compile"),
      [],
    );
    assert.ok(review.module, JSON.stringify(review.findings));
  });

  it("saving shows what the compiler made of it", async () => {
    await setting("objectWitness", "onSave");
    try {
      await changeMeminfo(1);
      const editor = await show(MEMINFO);
      // A function of which the object has no trace but in that caller.
      await replace(editor, '" kB\\n"', '" KB\\n"');
      await until("the function's lens", async () =>
        (await lenses(editor)).some((title) => /^hot patch: /.test(title)),
      );
      await editor.document.save();
      await until("carried", async () => (await lenses(editor)).some((title) => /carried/.test(title)));
      assert.ok(!(await lenses(editor)).some((title) => /no difference/.test(title)));
      const { trees, picture } = await session();
      await vscode.commands.executeCommand("hotpatch.showPicture");
      await until(
        "the picture",
        () => picture.html?.includes("patch.ko redirects") && picture.html.includes("in vmlinux"),
      );
      assert.match(
        picture.html ?? "",
        /Content-Security-Policy" content="default-src 'none'; style-src 'nonce-/,
      );
      assert.deepEqual(
        trees.main?.review?.module?.functions.map(({ name }) => name),
        ["meminfo_proc_show"],
      );
    } finally {
      await setting("objectWitness", undefined);
    }
  });

  it("the build command makes patch.ko", async () => {
    await changeMeminfo(1);
    const review = await vscode.commands.executeCommand<Review>("hotpatch.build");
    const path = review.module?.path ?? "";
    assert.ok(existsSync(path) && statSync(path).size > 1000);
  });

  it("what does not compile is underlined where it stands", async () => {
    const editor = await show(MEMINFO);
    await replace(editor, "arch_report_meminfo(m);", "arch_report_meminfo(m, no_such_name);");
    await vscode.commands.executeCommand("hotpatch.build");
    const found = await untilRule(editor, "does-not-compile");
    assert.match(editor.document.lineAt(found.range.start.line).text, /no_such_name/);
    assert.ok(findings(editor).every((one) => ruleOf(one) !== "not-read"));
  });
});
