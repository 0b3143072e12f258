import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import * as vscode from "vscode";
import type { Api } from "../../../extension/src/api";
import { processesWith } from "../../processes.js";
import type { Stage } from "../stage.js";

export const stage: Stage = JSON.parse(process.env.HOTPATCH_STAGE ?? "{}");

/** The extension as it is installed. */
export function extension(): vscode.Extension<Api> {
  const found = vscode.extensions.getExtension<Api>("kernel-hotpatch.kernel-hotpatch");
  if (!found) throw new Error("the extension is not installed");
  return found;
}

export async function session() {
  return (await extension().activate()).session();
}

/** Waits until something is as wanted. @param seconds how long at most */
export async function until<Value>(
  what: string,
  look: () => Value | undefined | false | Promise<Value | undefined | false>,
  seconds = 120,
): Promise<Value> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await look();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > end) throw new Error(`not in ${seconds} s: ${what}`);
    await setTimeout(50);
  }
}

export async function show(path: string, root = stage.linux): Promise<vscode.TextEditor> {
  return await vscode.window.showTextDocument(vscode.Uri.file(join(root, path)), { preview: false });
}

/** Types in place of some words, as one edit. */
export async function replace(editor: vscode.TextEditor, words: string, by: string): Promise<void> {
  const { document } = editor;
  const at = document.getText().indexOf(words);
  if (at < 0) throw new Error(`'${words}' is not in ${document.uri}`);
  const range = new vscode.Range(document.positionAt(at), document.positionAt(at + words.length));
  await editor.edit((edit) => edit.replace(range, by));
}

/** Our findings in a file. */
export function findings({ document: { uri } }: vscode.TextEditor): readonly vscode.Diagnostic[] {
  return vscode.languages.getDiagnostics(uri).filter(({ source }) => source === "hotpatch");
}

export function ruleOf({ code }: vscode.Diagnostic): string {
  return String(typeof code === "object" ? code.value : code);
}

export async function untilRule(editor: vscode.TextEditor, rule: string): Promise<vscode.Diagnostic> {
  return await until(`${rule} in ${editor.document.uri.path}`, () =>
    findings(editor).find((one) => ruleOf(one) === rule),
  );
}

/** Has files be as they were after each test, whatever was changed or saved of them. */
export function takeBackAfterEach(...paths: readonly string[]): void {
  const texts = new Map<string, string>();
  before(async () => {
    for (const path of paths) texts.set(path, await textOf(path));
  });
  afterEach(async () => {
    for (const [path, text] of texts) await takeBack(path, text);
    await vscode.commands.executeCommand("workbench.action.closeAllEditors");
  });
}

async function textOf(path: string): Promise<string> {
  return (await vscode.workspace.openTextDocument(vscode.Uri.file(join(stage.linux, path)))).getText();
}

async function takeBack(path: string, text: string): Promise<void> {
  const editor = await show(path);
  if (editor.document.getText() !== text) {
    const all = new vscode.Range(0, 0, editor.document.lineCount, 0);
    await editor.edit((edit) => edit.replace(all, text));
  }
  if (editor.document.isDirty) await editor.document.save();
}

/** Command lines of this machine's processes that work for these tests. */
export async function working(pattern: RegExp): Promise<string[]> {
  const all = await processesWith("XDG_CACHE_HOME", process.env.XDG_CACHE_HOME ?? "");
  return all.filter((line) => pattern.test(line));
}
