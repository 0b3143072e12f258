import type { SyntaxNode, SyntaxTree } from "./tree.js";

/** One place that the grammar could not read. Lines and columns count from 1. */
export interface SyntaxError {
  readonly line: number;
  readonly column: number;
  /** "error": text that fits nowhere; "missing": a token that had to be supposed. */
  readonly kind: "error" | "missing";
  /** The text that does not fit, its first line, cut at 100 characters; for "missing" what is missing. */
  readonly text: string;
}

const TEXT_MAX = 100;

/** Every error of a tree, in the order of the text; an error within an error is not told again. */
export function syntaxErrors(tree: SyntaxTree, text: string): SyntaxError[] {
  const errors: SyntaxError[] = [];
  // A list of our own instead of recursion: trees of hostile input are deep.
  const pending: SyntaxNode[] = [tree.root];
  for (let node = pending.pop(); node; node = pending.pop()) {
    if (node.isMissing) {
      errors.push({ ...place(node), kind: "missing", text: node.type });
    } else if (node.isError) {
      errors.push({
        ...place(node),
        kind: "error",
        text: excerpt(text.slice(node.startIndex, node.endIndex)),
      });
    } else if (node.hasError) {
      pending.push(...node.children.toReversed());
    }
  }
  return errors;
}

function place(node: SyntaxNode): { line: number; column: number } {
  return { line: node.startPosition.row + 1, column: node.startPosition.column + 1 };
}

function excerpt(text: string): string {
  const line = text.split("\n", 1)[0] ?? "";
  return line.length > TEXT_MAX ? `${line.slice(0, TEXT_MAX)}…` : line;
}
