import { existsSync } from "node:fs";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { KernelProfileList } from "@kernel-hotpatch/server/kernels/profile-list";
import * as vscode from "vscode";
import { HotpatchError } from "./hotpatch-program";

const FILE = "fs/proc/meminfo.c";
const BEFORE = "\tarch_report_meminfo(m);\n";
const ADDED = '\tseq_puts(m, "HotPatched:            1\\n");\n';
const TEST = `# Passes with the sample patch and fails without it.
tail -n 1 /proc/meminfo
grep -q '^HotPatched: *1$' /proc/meminfo
`;

type Kernel = KernelProfileList["profiles"][number];

/**
 * Makes a small kernel tree with one file of a kernel's source, changed, and a test for the change; a tree made before is
 * left as it is.
 * @param storage folder that is ours
 * @returns the changed file
 */
export async function makeSample(storage: string, kernel: Kernel): Promise<vscode.Uri> {
  const root = join(storage, "sample", kernel.id.replace(/[^\w.-]+/g, "-"));
  const file = join(root, FILE);
  if (!existsSync(file)) {
    for (const path of ["Makefile", "Kbuild", "MAINTAINERS", FILE]) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await cp(join(kernel.source, path), join(root, path));
    }
    const text = await readFile(file, "utf8");
    if (!text.includes(BEFORE))
      throw new HotpatchError("bad-input", `${kernel.id} is no kernel for the sample`);
    await writeFile(join(root, "meminfo.test.sh"), TEST);
    await writeFile(file, text.replace(BEFORE, `${BEFORE}${ADDED}`));
  }
  return vscode.Uri.file(file);
}

/** Shows the sample's changed line. */
export async function showSample(file: vscode.Uri): Promise<void> {
  const document = await vscode.workspace.openTextDocument(file);
  const at = document.positionAt(Math.max(0, document.getText().indexOf(ADDED)));
  await vscode.window.showTextDocument(document, { selection: new vscode.Range(at, at) });
}
