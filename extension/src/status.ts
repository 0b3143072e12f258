import type { TreeState } from "@kernel-hotpatch/server/lsp/tree-state";
import * as vscode from "vscode";
import type { ServerState } from "./server";
import { witnessesOf } from "./trees";

const ICONS = { safe: "$(pass)", "needs-review": "$(warning)", unsafe: "$(error)" } as const;

/** The verdict and the kernel it is for, in the status bar. */
export class Status {
  readonly #item = vscode.window.createStatusBarItem("hotpatch.status", vscode.StatusBarAlignment.Left, 40);

  constructor() {
    this.#item.name = "Hot Patch";
  }

  show(server: ServerState, tree: TreeState | undefined): void {
    const { text, tooltip, command, isTrouble } = statusOf(server, tree);
    this.#item.text = text;
    this.#item.tooltip = tooltip;
    this.#item.command = command;
    this.#item.backgroundColor = isTrouble
      ? new vscode.ThemeColor("statusBarItem.errorBackground")
      : undefined;
    this.#item.show();
  }

  /** What is shown now, for tests. */
  get text(): string {
    return this.#item.text;
  }

  get tooltip(): string {
    return String(this.#item.tooltip);
  }

  dispose(): void {
    this.#item.dispose();
  }
}

interface Shown {
  readonly text: string;
  readonly tooltip: string;
  readonly command: string;
  readonly isTrouble?: boolean;
}

function statusOf(server: ServerState, tree: TreeState | undefined): Shown {
  if (server.kind === "ended")
    return {
      text: "$(error) hot patch: server ended",
      tooltip: `The language server ended twice: ${server.reason}\nClick to start it again.`,
      command: "hotpatch.restartServer",
      isTrouble: true,
    };
  const command = "hotpatch.patch.focus";
  if (!tree || server.kind === "starting")
    return { text: "$(loading~spin) hot patch", tooltip: "The language server starts.", command };
  const { verdict, kernel, files, review, base } = tree;
  const target = kernel?.id ?? "no kernel";
  const again = server.again === undefined ? "" : `\nThe language server was started again: ${server.again}`;
  if (verdict === null)
    return {
      text: `$(circle-outline) hot patch · ${target}`,
      tooltip: `Nothing differs from ${base}.${again}`,
      command,
    };
  const unread = files.filter(({ isRead }) => !isRead).length;
  const rest = unread === 0 ? "" : `, ${unread} of ${files.length} files not read`;
  return {
    text: `${ICONS[verdict]} hot patch: ${verdict}${rest} · ${target}`,
    tooltip: `What differs from ${base}, judged by: ${witnessesOf(review)}.${again}`,
    command,
  };
}
