import type { CodeLens } from "vscode-languageserver/node";
import { type ChangedFunction, changedFunctionsOf } from "./changed-functions.js";
import type { KernelTree, OpenFile } from "./kernel-tree.js";
import { uriIn } from "./places.js";

/** Above each changed function what is known of it, and what can be done. */
export function codeLensesOf(tree: KernelTree, file: OpenFile): CodeLens[] {
  const target = { uri: uriIn(tree.root, file.path) };
  return changedFunctionsOf(tree, file).flatMap((changed) => {
    const line = changed.item.line - 1;
    const range = { start: { line, character: 0 }, end: { line, character: 0 } };
    const lens = (title: string, command: string) => ({
      range,
      command: { title, command, arguments: [target] },
    });
    const said = lens(`hot patch: ${summaryOf(changed)}`, "hotpatch.check");
    if (!tree.target.profile) return [said];
    return [said, lens("build", "hotpatch.build"), lens("prove in sandbox", "hotpatch.review")];
  });
}

/** `safe · carried · inlined into 2 callers`. */
export function summaryOf({ verdict, object, inlinedInto }: ChangedFunction): string {
  const many = inlinedInto.length;
  return [
    verdict,
    ...(object === undefined || object === "inlined"
      ? []
      : [object === "unchanged" ? "no difference in the object" : object]),
    ...(many === 0 ? [] : [`inlined into ${many} ${many === 1 ? "caller" : "callers"}`]),
  ].join(" · ");
}
