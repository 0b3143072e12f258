import Parser from "tree-sitter";
import { loadLanguage } from "tree-sitter-kernel-c";
import { refuseTooLong } from "./engine.js";
import type { Engine, SyntaxNode, SyntaxQuery, SyntaxTree } from "./tree.js";

/**
 * The engine on npm's native `tree-sitter`. Its trees are freed by the garbage collector, which is not told how large
 * they are; `free` therefore only forgets the tree, and memory stays level because nothing else holds it.
 * @throws Error where no native build is present or loads
 */
export function createNativeEngine(): Engine {
  const language = loadLanguage();
  const parser = new Parser();
  parser.setLanguage(language);
  const trees = new WeakMap<SyntaxTree, Parser.Tree>();

  return {
    kind: "native",
    parse(text, previous) {
      refuseTooLong(text);
      const old = previous && trees.get(previous);
      // The engine copies the text piece by piece; its default piece is too small for one call.
      const tree = parser.parse((index) => text.slice(index, index + CHUNK), old, { bufferSize: CHUNK });
      const held = hold(tree);
      trees.set(held, tree);
      return held;
    },
    query(source) {
      const query = new Parser.Query(language, source);
      return {
        captures: (node) => query.captures(native(node)).map(({ name, node }) => ({ name, node })),
        free() {},
      } satisfies SyntaxQuery;
    },
  };
}

/** UTF-16 units handed to the engine at a time. */
const CHUNK = 32 * 1024;

function hold(tree: Parser.Tree): SyntaxTree {
  let held: Parser.Tree | undefined = tree;
  const own = (): Parser.Tree => {
    if (!held) throw new Error("this syntax tree has been freed");
    return held;
  };
  return {
    get root() {
      return own().rootNode;
    },
    edit(edit) {
      own().edit(edit);
    },
    free() {
      held = undefined;
    },
  };
}

/** Nodes of this engine are the native ones under a narrower type. */
function native(node: SyntaxNode): Parser.SyntaxNode {
  return node as Parser.SyntaxNode;
}
