import { editBetween } from "@kernel-hotpatch/server/syntax/edit";
import type Parser from "tree-sitter";
import type { Parse } from "./grammar-parsers.js";

/** Milliseconds to parse a text again after one keystroke in it, `rounds` times at places spread over it. */
export function keystrokes(parse: Parse, text: string, rounds: number): number[] {
  const spent: number[] = [];
  let tree = parse(text);
  for (let round = 0; round < rounds; round++) {
    const at = Math.floor((text.length * (round + 0.5)) / rounds);
    const typed = `${text.slice(0, at)}x${text.slice(at)}`;
    [tree] = retype(parse, tree, text, typed, spent);
    // … and taken back, which is a keystroke as well.
    [tree] = retype(parse, tree, typed, text, spent);
  }
  return spent;
}

function retype(
  parse: Parse,
  tree: Parser.Tree,
  before: string,
  after: string,
  spent: number[],
): [Parser.Tree] {
  const edit = editBetween(before, after);
  if (!edit) return [tree];
  const start = performance.now();
  tree.edit(edit);
  const next = parse(after, tree);
  spent.push(performance.now() - start);
  return [next];
}

/** The value that `share` of the numbers do not exceed. */
export function percentile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
