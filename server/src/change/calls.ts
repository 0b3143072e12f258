import type { SyntaxNode } from "../syntax/tree.js";
import type { Item, SourceFile } from "./item.js";
import { normalForm } from "./tokens.js";

/** A call, or a macro used like one. */
export interface Call {
  readonly name: string;
  /** The whole call. */
  readonly node: SyntaxNode;
  /** Its name, for a finding to mark. */
  readonly at: SyntaxNode;
  readonly arguments: readonly SyntaxNode[];
  /** What a macro such as `list_for_each_entry` or `scoped_guard` repeats or guards. */
  readonly body?: SyntaxNode;
}

/** A node and everything below it, in the order of the text. */
export function* descendants(root: SyntaxNode): Generator<SyntaxNode> {
  const pending = [root];
  for (let node = pending.pop(); node; node = pending.pop()) {
    yield node;
    pending.push(...node.namedChildren.toReversed());
  }
}

/** Everything below a node that is called by name, macros included, in the order of the text. */
export function callsIn(root: SyntaxNode): Call[] {
  const calls: Call[] = [];
  for (const node of descendants(root)) {
    const at = calleeOf(node);
    if (!at) continue;
    const body = node.childForFieldName("body");
    const list = node.childForFieldName("arguments");
    const given = (list?.namedChildren ?? []).filter((child) => child.type !== "comment");
    calls.push({ name: at.text, node, at, arguments: given, ...(body && { body }) });
  }
  return calls;
}

/** The calls of one item of a file; none where there is no item. */
export function callsOf(file: SourceFile | undefined, item: Item | undefined): Call[] {
  return file && item ? callsIn(file.syntax(item)) : [];
}

function calleeOf(node: SyntaxNode): SyntaxNode | undefined {
  if (node.type === "macro_statement") return node.childForFieldName("name") ?? undefined;
  if (node.type !== "call_expression") return undefined;
  const callee = node.childForFieldName("function");
  return callee?.type === "identifier" ? callee : undefined;
}

/**
 * Calls of one side that the other side does not make, compared by their tokens, arguments included; a call made twice
 * counts twice.
 */
export function callsWithout(calls: readonly Call[], others: readonly Call[]): Call[] {
  const counts = new Map<string, number>();
  for (const { node } of others) {
    const key = normalForm(node.text);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return calls.filter(({ node }) => {
    const key = normalForm(node.text);
    const count = counts.get(key) ?? 0;
    if (count > 0) counts.set(key, count - 1);
    return count === 0;
  });
}
