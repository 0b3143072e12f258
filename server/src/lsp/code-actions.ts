import {
  type CodeAction,
  CodeActionKind,
  type Diagnostic,
  type Range,
  type TextEdit,
  type WorkspaceEdit,
} from "vscode-languageserver/node";
import type { Finding } from "../review/finding.js";
import { isSuppressible } from "../review/suppress.js";
import { diagnosticOf } from "./diagnostics.js";
import type { KernelTree, OpenFile } from "./kernel-tree.js";
import { overlaps, uriIn } from "./places.js";

/** What can be done about the findings of a stretch: every fix that a rule offers, and setting it aside. */
export function codeActionsOf(tree: KernelTree, file: OpenFile, range: Range): CodeAction[] {
  const lines = file.changed?.after?.lines;
  const actions: CodeAction[] = [];
  for (const finding of tree.findingsOf(file)) {
    if (finding.suppressed) continue;
    const diagnostic = diagnosticOf(finding, tree.root, lines);
    if (!overlaps(diagnostic.range, range)) continue;
    for (const fix of finding.fixes ?? [])
      actions.push({
        title: fix.title,
        kind: CodeActionKind.QuickFix,
        diagnostics: [diagnostic],
        isPreferred: finding.fixes?.length === 1,
        edit: fixEdit(tree, fix.edits),
      });
    const suppression = suppressionOf(tree, file, finding, diagnostic);
    if (suppression) actions.push(suppression);
  }
  // Fixes first; two findings in one place may offer the same.
  return actions
    .filter(({ title }, at) => actions.findIndex((other) => other.title === title) === at)
    .sort((a, b) => Number(b.isPreferred ?? false) - Number(a.isPreferred ?? false));
}

type FixEdits = NonNullable<Finding["fixes"]>[number]["edits"];

function fixEdit(tree: KernelTree, edits: FixEdits): WorkspaceEdit {
  const changes = new Map<string, TextEdit[]>();
  for (const { file, line, column, endLine, endColumn, text } of edits) {
    const range = {
      start: { line: line - 1, character: column - 1 },
      end: { line: endLine - 1, character: endColumn - 1 },
    };
    changes.set(file, [...(changes.get(file) ?? []), { range, newText: text }]);
  }
  // Versions let an editor refuse what it has edited since.
  return {
    documentChanges: [...changes].map(([path, all]) => ({
      textDocument: { uri: uriIn(tree.root, path), version: tree.files.get(path)?.version ?? null },
      edits: all,
    })),
  };
}

/** Puts `hotpatch-ignore: RULE` where `suppress` looks for it; without a reason it only asks for one. */
function suppressionOf(
  tree: KernelTree,
  file: OpenFile,
  { rule, line }: Finding,
  diagnostic: Diagnostic,
): CodeAction | undefined {
  if (line === null || !isSuppressible(rule)) return undefined;
  const lines = file.text.split("\n");
  const [above = "", own = ""] = [lines[line - 2], lines[line - 1] ?? ""];
  const comment = `/* hotpatch-ignore: ${rule} */`;
  const goesOn = above.trimEnd().endsWith("\\");
  // A comment above that already ignores another rule ends before this one.
  const isTaken = /hotpatch-ignore:/.test(above);
  const character = isTaken ? own.replace(/\s*\\?\s*$/, "").length : 0;
  const indent = /^\s*/.exec(own)?.[0] ?? "";
  const newText = isTaken ? ` ${comment}` : `${indent}${comment}${goesOn ? " \\" : ""}\n`;
  const place = { line: line - 1, character };
  return {
    title: `Ignore ${rule} here (write the reason into the comment)`,
    kind: CodeActionKind.QuickFix,
    diagnostics: [diagnostic],
    edit: {
      documentChanges: [
        {
          textDocument: { uri: uriIn(tree.root, file.path), version: file.version },
          edits: [{ range: { start: place, end: place }, newText }],
        },
      ],
    },
  };
}

/** The same edit for editors that know no versions. */
export function withoutVersions({ documentChanges, ...rest }: WorkspaceEdit): WorkspaceEdit {
  const changes: Record<string, TextEdit[]> = {};
  for (const change of documentChanges ?? [])
    if ("textDocument" in change) changes[change.textDocument.uri] = change.edits as TextEdit[];
  return { ...rest, changes };
}
