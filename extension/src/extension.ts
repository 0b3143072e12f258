import { kernelFolderOf } from "@kernel-hotpatch/server/lsp/kernel-folder";
import * as vscode from "vscode";
import type { Api } from "./api";
import { COMMANDS, type CommandId } from "./command-ids";
import type { Session } from "./session";

/**
 * Costs next to nothing: all else is loaded by `session.js`, when a file of a kernel tree is shown or a command is given.
 * @returns what tests and other extensions may look at
 */
export function activate(context: vscode.ExtensionContext): Api {
  let opened: Session | undefined;
  const session = (): Session => {
    if (opened) return opened;
    const { openSession }: typeof import("./session") = require("./session.js");
    opened = openSession(context);
    context.subscriptions.push(opened);
    return opened;
  };
  const look = (editor: vscode.TextEditor | undefined) => {
    const isKernel = editor !== undefined && isInKernelTree(editor.document.uri);
    void vscode.commands.executeCommand("setContext", "hotpatch.isKernelFile", isKernel);
    if (isKernel) session().attend(editor.document.uri);
  };
  context.subscriptions.push(
    vscode.window.onDidChangeActiveTextEditor(look),
    ...COMMANDS.map((id: CommandId) =>
      vscode.commands.registerCommand(id, (...args: unknown[]) => session().run(id, args)),
    ),
  );
  look(vscode.window.activeTextEditor);
  const folders = (vscode.workspace.workspaceFolders ?? []).filter(({ uri }) =>
    isInKernelTree(vscode.Uri.joinPath(uri, "Kbuild")),
  );
  if (folders.length > 0) void vscode.commands.executeCommand("setContext", "hotpatch.hasTree", true);
  return { session };
}

function isInKernelTree({ scheme, fsPath }: vscode.Uri): boolean {
  return scheme === "file" && kernelFolderOf(fsPath) !== undefined;
}
