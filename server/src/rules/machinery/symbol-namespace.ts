import { descendants } from "../../change/calls.js";
import type { ChangedFile } from "../../change/change-set.js";
import { changesOf, placeOfNode } from "../../change/sides.js";
import { namesIn } from "../../change/tokens.js";
import type { SyntaxNode } from "../../syntax/tree.js";
import type { Fix, SourceRule } from "../inspection.js";

/** @see docs/rules/symbol-namespace.md */
export const symbolNamespace: SourceRule = {
  id: "symbol-namespace",
  severity: "needs-review",
  witnesses: ["source", "object"],
  summary: "changed code newly uses a symbol that is exported to a namespace",
  why: "A module that uses it without importing the namespace is refused or warned about at load.",
  remedy: "Add MODULE_IMPORT_NS for it.",
  sources: ["Documentation/core-api/symbol-namespaces.rst"],
  *check({ file, facts }) {
    if (!file.after) return;
    const build = facts.build(file.path);
    const told = new Set<string>();
    for (const { before, after, name: user } of changesOf(file, "function")) {
      if (!after || after.kept === "no") continue;
      const known = namesIn(before?.body ?? "");
      for (const name of namesIn(after.body)) {
        if (known.has(name)) continue;
        const exported = facts.exported(name);
        if (!exported || exported.namespace === "" || exported.module === build.module) continue;
        const { namespace, module } = exported;
        if (told.has(namespace) || imports(file, namespace)) continue;
        told.add(namespace);
        const isModule = build.into === "module";
        const node = file.after.syntax(after);
        yield {
          at: placeOfNode(file, identifier(node, name) ?? node),
          symbol: user,
          ...(isModule ? {} : { severity: "info" as const }),
          message: `'${user}' now uses '${name}', which ${module} exports to the namespace ${namespace}`,
          ...(isModule
            ? { fixes: [importOf(file, namespace, facts.tree.version)] }
            : {
                why: "Code of the kernel itself needs no import, but the hot patch is a module.",
                remedy: "Nothing to do with 'hotpatch build', which writes the import into the patch module.",
              }),
        };
      }
    }
  },
};

function imports({ after }: ChangedFile, namespace: string): boolean {
  return (after?.items ?? []).some(
    (item) =>
      item.kind === "call" &&
      item.macro === "MODULE_IMPORT_NS" &&
      item.arguments[0]?.replaceAll('"', "") === namespace,
  );
}

function identifier(root: SyntaxNode, name: string): SyntaxNode | undefined {
  for (const node of descendants(root)) if (node.type === "identifier" && node.text === name) return node;
  return undefined;
}

/** Behind the last of the file's MODULE_ lines, else at its end. */
function importOf(file: ChangedFile, namespace: string, version: readonly [number, number]): Fix {
  const [major, minor] = version;
  // A string since 6.13 (include/linux/module.h).
  const argument = major > 6 || (major === 6 && minor >= 13) ? `"${namespace}"` : namespace;
  const items = (file.after?.items ?? []).filter(
    (item) => item.kind === "call" && item.macro.startsWith("MODULE_"),
  );
  const lines = file.after?.lines.lines ?? [];
  const atEnd = lines.at(-1) === "" ? lines.length : lines.length + 1;
  const line = Math.min((items.at(-1)?.endLine ?? atEnd - 1) + 1, atEnd);
  return {
    title: `Import the namespace ${namespace}`,
    edits: [
      {
        file: file.path,
        line,
        column: 1,
        endLine: line,
        endColumn: 1,
        text: `MODULE_IMPORT_NS(${argument});\n`,
      },
    ],
  };
}
