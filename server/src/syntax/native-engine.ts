import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import Parser from "tree-sitter";
import { loadLanguage } from "tree-sitter-kernel-c";
import { MAX_SOURCE_LENGTH, refuseTooLong } from "./engine.js";
import type { Engine, SyntaxNode, SyntaxQuery, SyntaxTree } from "./tree.js";

/**
 * The engine on npm's native `tree-sitter`. Its trees are freed by the garbage collector: `free` only forgets the tree,
 * and the collector is called often enough (see {@link createCollection}).
 * @throws Error where no native build is present or loads
 */
export function createNativeEngine(): Engine {
  const language = loadLanguage();
  // A class for each type of node, with a getter for each field: nobody here asks for one, and making them takes 40 ms.
  language.nodeTypeInfo = [];
  const parser = new Parser();
  parser.setLanguage(language);
  const trees = new WeakMap<SyntaxTree, Parser.Tree>();
  const countParsed = createCollection();

  return {
    kind: "native",
    parse(text, previous, within) {
      refuseTooLong(text, MAX_SOURCE_LENGTH);
      const old = previous && trees.get(previous);
      const units = within ? within.endIndex - within.startIndex : text.length;
      const piece = old ? REPARSE_PIECE : units + 1;
      const tree = parser.parse((index) => text.slice(index, index + piece), old, {
        bufferSize: piece,
        ...(within && { includedRanges: [within] }),
      });
      countParsed(old ? units * REPARSE_SHARE : units);
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

/**
 * UTF-16 units handed to the engine at a time when a text is parsed again: it reads a little here and there. A new text
 * goes in one piece, for the grammar looks ahead and would have pieces fetched again.
 */
const REPARSE_PIECE = 4 * 1024;

/** UTF-16 units parsed between two collections: some tens of megabytes of trees. */
const UNITS_BETWEEN_COLLECTIONS = 10 * 1024 * 1024;
/** What a re-parse leaves behind, as a share of a whole parse. */
const REPARSE_SHARE = 1 / 4;

/**
 * Trees are held by small objects of JavaScript, so the collector sees no need to run while they fill the memory. It is
 * called when enough has been parsed. What it finds is freed between two turns of the event loop.
 */
export function createCollection(): (units: number) => void {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  let units = 0;
  return (parsed) => {
    units += parsed;
    if (units < UNITS_BETWEEN_COLLECTIONS) return;
    units = 0;
    collect();
  };
}

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
