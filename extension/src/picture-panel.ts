import { randomBytes } from "node:crypto";
import * as vscode from "vscode";
import { escapeText, pictureOf, titleOf } from "./review-picture";
import { fileUri, type Trees, witnessesOf } from "./trees";

const STYLE = `
  body { color: var(--vscode-foreground); font-family: var(--vscode-font-family); padding: 0 1em; }
  h1 { font-size: 1.2em; font-weight: 600; margin: 1em 0 0.2em; }
  p { color: var(--vscode-descriptionForeground); margin: 0 0 1em; }
  .picture text { fill: var(--vscode-foreground); }
  .picture .heading { font-weight: 600; font-size: 13px; }
  .picture .label { font-family: var(--vscode-editor-font-family, monospace); font-size: 12.5px; }
  .picture .note { fill: var(--vscode-descriptionForeground); font-size: 11.5px; }
  .picture rect { fill: var(--vscode-editorWidget-background); stroke: var(--vscode-editorWidget-border, var(--vscode-contrastBorder, transparent)); }
  .picture .edge { fill: var(--vscode-descriptionForeground); stroke: none; }
  .picture .safe .edge { fill: var(--vscode-testing-iconPassed); }
  .picture .needs-review .edge { fill: var(--vscode-editorWarning-foreground); }
  .picture .unsafe .edge { fill: var(--vscode-editorError-foreground); }
  .picture .edges path { fill: none; stroke: var(--vscode-descriptionForeground); stroke-width: 1.5; opacity: 0.7; }
  .picture [data-file] { cursor: pointer; }
  .picture .box:hover rect:first-of-type, .picture .box:focus rect:first-of-type { stroke: var(--vscode-focusBorder); stroke-width: 2; }
  .picture .box:focus { outline: none; }
`;

const SCRIPT = `
  const vscode = acquireVsCodeApi();
  const open = (event) => {
    const box = event.target.closest("[data-file]");
    if (!box) return;
    const { file, line, column } = box.dataset;
    vscode.postMessage({ file, line: Number(line), column: Number(column) });
  };
  addEventListener("click", open);
  addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") open(event);
  });
`;

/** The picture of the change in the tree looked at, in an editor of its own; drawn anew when the change is another. */
export class PicturePanel {
  readonly #trees: Trees;
  #panel: vscode.WebviewPanel | undefined;
  readonly #listener: vscode.Disposable;

  constructor(trees: Trees) {
    this.#trees = trees;
    this.#listener = trees.onDidChange(() => this.#draw());
  }

  show(): void {
    if (this.#panel) {
      this.#panel.reveal(undefined, true);
      return;
    }
    const panel = vscode.window.createWebviewPanel(
      "hotpatch.picture",
      "Hot Patch",
      { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true },
      { enableScripts: true, localResourceRoots: [] },
    );
    panel.onDidDispose(() => {
      this.#panel = undefined;
    });
    panel.webview.onDidReceiveMessage((message: unknown) => this.#open(message));
    this.#panel = panel;
    this.#draw();
  }

  dispose(): void {
    this.#listener.dispose();
    this.#panel?.dispose();
  }

  /** What is drawn now; undefined while the picture is not shown. */
  get html(): string | undefined {
    return this.#panel?.webview.html;
  }

  #draw(): void {
    if (!this.#panel) return;
    const tree = this.#trees.main;
    const nonce = randomBytes(16).toString("base64");
    const body = tree
      ? `<h1>${escapeText(titleOf(tree))}</h1><p>Judged by: ${witnessesOf(tree.review)}. Boxes lead to the code.</p>${pictureOf(tree)}`
      : "<p>No kernel tree is open.</p>";
    this.#panel.webview.html = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'">
<style nonce="${nonce}">${STYLE}</style>
</head>
<body>${body}<script nonce="${nonce}">${SCRIPT}</script></body>
</html>`;
  }

  #open(message: unknown): void {
    const tree = this.#trees.main;
    const { file, line, column } = message as { file?: unknown; line?: unknown; column?: unknown };
    // Only what was drawn is opened.
    if (!tree?.files.some(({ path }) => path === file)) return;
    void vscode.commands.executeCommand(
      "hotpatch.openPlace",
      fileUri(tree, String(file)).toString(),
      line,
      column,
    );
  }
}
