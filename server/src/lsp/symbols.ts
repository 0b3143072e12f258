import { type DocumentSymbol, SymbolKind, type WorkspaceSymbol } from "vscode-languageserver/node";
import type { Item } from "../change/item.js";
import { LineIndex } from "../change/line-index.js";
import type { KernelTree, OpenFile } from "./kernel-tree.js";
import { rangeOf, uriIn } from "./places.js";

const KIND: Readonly<Partial<Record<Item["kind"], SymbolKind>>> = {
  function: SymbolKind.Function,
  type: SymbolKind.Struct,
  typedef: SymbolKind.TypeParameter,
  data: SymbolKind.Variable,
  macro: SymbolKind.Constant,
};

/** What a document declares, as the grammar of kernel C reads it: `SYSCALL_DEFINE` and its like are functions. */
export function documentSymbolsOf(tree: KernelTree, file: OpenFile): DocumentSymbol[] {
  const changed = new Set(file.changed?.changes.map(({ name }) => name));
  return declared(tree, file).map(({ item, kind, lines }) => ({
    name: item.name,
    kind,
    ...(changed.has(item.name) && { detail: "changed" }),
    range: rangeOf(lines.place(file.path, item.start, item.end)),
    selectionRange: rangeOf(lines.place(file.path, item.nameStart, item.nameEnd)),
  }));
}

const MOST_SYMBOLS = 200;

/** What documents of a tree declare whose names hold the characters asked for, in their order. */
export function workspaceSymbolsOf(tree: KernelTree, query: string): WorkspaceSymbol[] {
  const pattern = new RegExp([...query].map((letter) => letter.replace(/\W/g, "\\$&")).join(".*"), "i");
  return [...tree.files.values()]
    .flatMap((file) =>
      declared(tree, file)
        .filter(({ item }) => pattern.test(item.name))
        .map(({ item, kind, lines }) => ({
          name: item.name,
          kind,
          containerName: file.path,
          location: {
            uri: uriIn(tree.root, file.path),
            range: rangeOf(lines.place(file.path, item.nameStart, item.nameEnd)),
          },
        })),
    )
    .slice(0, MOST_SYMBOLS);
}

function declared(tree: KernelTree, file: OpenFile) {
  const lines = file.changed?.after?.lines ?? new LineIndex(file.text);
  return tree.itemsOf(file).flatMap((item) => {
    const kind = item.kind === "type" && item.keyword === "enum" ? SymbolKind.Enum : KIND[item.kind];
    return kind === undefined || item.name === "" ? [] : [{ item, kind, lines }];
  });
}
