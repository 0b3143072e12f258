import type { TreeState } from "@kernel-hotpatch/server/lsp/tree-state";
import * as vscode from "vscode";
import { type NodeKind, type PatchNode, patchNodes } from "./patch-tree";
import { fileUri, type Trees } from "./trees";

const ICONS: Readonly<Record<NodeKind, readonly [icon: string, color?: string]>> = {
  file: ["file-code"],
  function: ["symbol-method"],
  group: ["list-tree"],
  object: ["file-binary"],
  symbol: ["symbol-field"],
  module: ["package"],
  output: ["blank"],
  safe: ["pass", "testing.iconPassed"],
  "needs-review": ["warning", "list.warningForeground"],
  unsafe: ["error", "list.errorForeground"],
  info: ["info"],
  passed: ["pass", "testing.iconPassed"],
  failed: ["error", "testing.iconFailed"],
  skipped: ["debug-step-over", "testing.iconSkipped"],
};
const COLLAPSED: ReadonlySet<NodeKind> = new Set(["object", "module", "passed"]);

/** A line of the view, with the tree that it is about. */
export interface Shown {
  readonly tree: TreeState;
  readonly node: PatchNode;
  readonly path: string;
}

/** The view "Hot Patch". */
export class PatchView implements vscode.TreeDataProvider<Shown> {
  readonly #trees: Trees;
  readonly #changed = new vscode.EventEmitter<undefined>();
  readonly onDidChangeTreeData = this.#changed.event;
  readonly #listener: vscode.Disposable;

  constructor(trees: Trees) {
    this.#trees = trees;
    this.#listener = trees.onDidChange(() => this.#changed.fire(undefined));
  }

  getChildren(shown?: Shown): Shown[] {
    if (shown)
      return shown.node.children.map((node) => ({ ...shown, node, path: `${shown.path}/${node.id}` }));
    const differing = this.#trees.all.filter(({ verdict }) => verdict !== null);
    if (differing.length === 1) return differing.flatMap((tree) => top(tree));
    return differing.map((tree) => ({ tree, path: tree.root, node: treeNode(tree) }));
  }

  getTreeItem({ node, tree, path }: Shown): vscode.TreeItem {
    const { label, kind, description, tooltip, place, children } = node;
    const state =
      children.length === 0
        ? vscode.TreeItemCollapsibleState.None
        : COLLAPSED.has(kind)
          ? vscode.TreeItemCollapsibleState.Collapsed
          : vscode.TreeItemCollapsibleState.Expanded;
    const item = new vscode.TreeItem(label, state);
    const [icon, color] = ICONS[kind];
    item.id = path;
    item.iconPath = new vscode.ThemeIcon(
      icon,
      color === undefined ? undefined : new vscode.ThemeColor(color),
    );
    item.contextValue = kind;
    if (description !== undefined) item.description = description;
    item.tooltip = tooltip ?? `${label}${description ? ` (${description})` : ""}`;
    if (place)
      item.command = {
        title: "Open",
        command: "hotpatch.openPlace",
        arguments: [fileUri(tree, place.file).toString(), place.line, place.column],
      };
    return item;
  }

  dispose(): void {
    this.#listener.dispose();
    this.#changed.dispose();
  }
}

function top(tree: TreeState): Shown[] {
  return patchNodes(tree).map((node) => ({ tree, node, path: `${tree.root}/${node.id}` }));
}

function treeNode(tree: TreeState): PatchNode {
  const { root, verdict, kernel } = tree;
  return {
    id: root,
    label: vscode.Uri.parse(root).fsPath,
    description: `${verdict} · ${kernel?.id ?? "no kernel"}`,
    kind: verdict ?? "info",
    children: patchNodes(tree),
  };
}
