import { readFile } from "node:fs/promises";
import { wasmPath } from "tree-sitter-kernel-c";
import { Edit, Language, type Node, Parser, Query, type Tree } from "web-tree-sitter";
import { refuseTooLong } from "./engine.js";
import type { Engine, SyntaxNode, SyntaxQuery, SyntaxTree } from "./tree.js";

/** Its memory ends at 2 GB: 50 MB of macros were measured to abort it for good. */
const MAX_WASM_LENGTH = 16 * 1024 * 1024;

/**
 * The engine on `web-tree-sitter`. Its trees live in the WASM memory, which only grows: each must be freed.
 * @throws Error when the WASM build cannot be read or loaded
 */
export async function createWasmEngine(): Promise<Engine> {
  await Parser.init();
  const language = await Language.load(await readFile(wasmPath));
  const parser = new Parser();
  parser.setLanguage(language);
  const trees = new WeakMap<SyntaxTree, Tree>();

  return {
    kind: "wasm",
    parse(text, previous, within) {
      refuseTooLong(text, MAX_WASM_LENGTH);
      const tree = parser.parse(text, (previous && trees.get(previous)) ?? null, {
        ...(within && { includedRanges: [within] }),
      });
      if (!tree) throw new Error("web-tree-sitter has no language set");
      const held = hold(tree);
      trees.set(held, tree);
      return held;
    },
    query(source) {
      const query = new Query(language, source);
      return {
        captures: (node) =>
          query.captures(wasm(node)).map(({ name, node }) => ({ name, node: narrowed(node) })),
        free: () => query.delete(),
      } satisfies SyntaxQuery;
    },
  };
}

function hold(tree: Tree): SyntaxTree {
  let held: Tree | undefined = tree;
  const own = (): Tree => {
    if (!held) throw new Error("this syntax tree has been freed");
    return held;
  };
  return {
    get root() {
      return narrowed(own().rootNode);
    },
    edit(edit) {
      own().edit(new Edit(edit));
    },
    free() {
      held?.delete();
      held = undefined;
    },
  };
}

/** web-tree-sitter types its children as nullable, which a child in bounds never is. */
function narrowed(node: Node): SyntaxNode {
  return node as unknown as SyntaxNode;
}

function wasm(node: SyntaxNode): Node {
  return node as unknown as Node;
}
