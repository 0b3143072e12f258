import { setImmediate } from "node:timers/promises";
import { createCollection } from "@kernel-hotpatch/server/syntax/native-engine";
import Parser from "tree-sitter";
import plainLanguage from "tree-sitter-c";
import { loadLanguage } from "tree-sitter-kernel-c";

/** The two grammars that are compared. */
export interface Parsers {
  readonly ours: Parse;
  readonly plain: Parse;
  /** To be awaited between files: trees that nobody holds any more are freed between turns of the event loop only. */
  readonly rest: () => Promise<void>;
}

export type Parse = (text: string) => Parser.Tree;

/** Both grammars on the same native engine, fed the same way. */
export function createParsers(): Parsers {
  const collect = createCollection();
  let parsed = 0;
  const count = (units: number): void => {
    parsed += units;
  };
  return {
    ours: parse(loadLanguage(), count),
    plain: parse(plainLanguage as unknown as Parser.Language, count),
    rest: async () => {
      collect(parsed);
      parsed = 0;
      await setImmediate();
    },
  };
}

function parse(language: Parser.Language, count: (units: number) => void): Parse {
  const parser = new Parser();
  parser.setLanguage(language);
  // The whole text in one piece: a piece that ends in the midst of a look ahead is fetched again and again.
  return (text) => {
    count(text.length);
    return parser.parse((index: number) => text.slice(index), undefined, { bufferSize: text.length + 1 });
  };
}

/** Errors of a tree: ERROR and MISSING nodes, and the bytes within ERROR nodes. */
export interface Errors {
  readonly count: number;
  readonly bytes: number;
  /** The line of the first, from 1; 0 without one. */
  readonly line: number;
}

export function errorsOf(tree: Parser.Tree): Errors {
  let count = 0;
  let bytes = 0;
  let line = 0;
  const pending = [tree.rootNode];
  for (let node = pending.pop(); node; node = pending.pop()) {
    if (!node.isMissing && !node.isError) {
      if (node.hasError) pending.push(...node.children.toReversed());
      continue;
    }
    count++;
    bytes += node.endIndex - node.startIndex;
    if (line === 0) line = node.startPosition.row + 1;
  }
  return { count, bytes, line };
}
