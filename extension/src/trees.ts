import type { TreeState } from "@kernel-hotpatch/server/lsp/tree-state";
import type { Review } from "@kernel-hotpatch/server/review/review";
import * as vscode from "vscode";

/** The kernel trees that are open, as the server last told them. */
export class Trees {
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.#changed.event;
  #states: readonly TreeState[] = [];
  #main: string | undefined;

  get all(): readonly TreeState[] {
    return this.#states;
  }

  /** The tree that was last looked at. */
  get main(): TreeState | undefined {
    return this.#states.find(({ root }) => root === this.#main) ?? this.#states[0];
  }

  /** The tree that a file is in. */
  of(file: vscode.Uri): TreeState | undefined {
    return this.#states.find(({ root }) => file.fsPath.startsWith(`${vscode.Uri.parse(root).fsPath}/`));
  }

  /** Notes which tree a person looks at. @param file a document of it */
  attend(file: vscode.Uri): void {
    const own = this.of(file);
    if (!own || own.root === this.#main) return;
    this.#main = own.root;
    this.#changed.fire();
  }

  set(states: readonly TreeState[]): void {
    this.#states = states;
    this.#changed.fire();
  }

  dispose(): void {
    this.#changed.dispose();
  }
}

/** The file of a tree that a place is in. */
export function fileUri({ root }: Pick<TreeState, "root">, path: string): vscode.Uri {
  return vscode.Uri.joinPath(vscode.Uri.parse(root), path);
}

/** A document of a tree, by which the server knows it: one that is open, else one that is opened for that. */
export async function documentIn(root: vscode.Uri): Promise<vscode.Uri> {
  const isIn = ({ uri }: vscode.TextDocument) =>
    uri.scheme === "file" && uri.fsPath.startsWith(`${root.fsPath}/`) && /\.[chS]$/.test(uri.fsPath);
  const open = vscode.workspace.textDocuments.find(isIn);
  if (open) return open.uri;
  return (await vscode.workspace.openTextDocument(vscode.Uri.joinPath(root, "Kbuild"))).uri;
}

/** Who was asked for what is known of a change, in words. */
export function witnessesOf(review: Review | null): string {
  if (!review) return "source";
  return review.sandbox ? "source, objects, sandbox" : "source, objects";
}
