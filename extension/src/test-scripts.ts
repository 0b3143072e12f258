import { readdir } from "node:fs/promises";
import { resolve } from "node:path";
import { kernelFolderOf } from "@kernel-hotpatch/server/lsp/kernel-folder";
import * as vscode from "vscode";

/** A script that the sandbox runs; what it may say is told in the guide. */
export interface TestScript {
  readonly path: string;
  /** As the sandbox names it in its steps. */
  readonly name: string;
}

/**
 * The tests of a tree's change: `test.sh` and `*.test.sh` in the folders of the setting `hotpatch.tests`.
 * @param file of the tree
 */
export async function testScripts(file: vscode.Uri): Promise<TestScript[]> {
  const root = kernelFolderOf(file.fsPath);
  if (root === undefined) return [];
  const folders = vscode.workspace.getConfiguration("hotpatch", file).get<string[]>("tests", []);
  const found = await Promise.all(
    folders.map(async (folder) => {
      const path = resolve(root, folder);
      const names = await readdir(path).catch(() => []);
      return names
        .filter((name) => name === "test.sh" || name.endsWith(".test.sh"))
        .sort()
        .map((name) => ({ path: resolve(path, name), name: name.replace(/(\.test)?\.sh$/, "") }));
    }),
  );
  return found.flat();
}
