import { callsIn, descendants } from "../../change/calls.js";
import { innermostName } from "../../change/describe.js";
import type { FunctionItem, Item, TypeItem } from "../../change/item.js";
import { headingAt } from "../../change/outline.js";
import { changesOf } from "../../change/sides.js";
import type { SyntaxNode } from "../../syntax/tree.js";
import type { Inspection } from "../inspection.js";

/**
 * Whether objects of a type live only on the stack of functions that the patch replaces, so that no other code ever sees one.
 * A task runs all old or all new functions (Documentation/livepatch/livepatch.rst, section 3), so these agree with each other.
 * @returns false whenever that is not certain
 */
export function livesOnPatchedStacks(item: TypeItem, { file, changes, facts }: Inspection): boolean {
  const name = item.name.replace(/^(?:struct|union) /, "");
  if (!file.after || !file.path.endsWith(".c") || !/^\w+$/.test(name)) return false;
  const { places, count } = facts.uses(name);
  if (count !== places.length || count < 2) return false;
  const changed = new Set(
    changes.changes.filter(({ after }) => after?.kind === "function").map((change) => change.name),
  );
  if (places.some((use) => use.file !== file.path || use.kind === "unread")) return false;
  const functions = new Set<FunctionItem["start"]>();
  for (const use of places) {
    if (use.line >= item.line && use.line <= item.endLine) continue;
    const holds = (item: Item | undefined) => item && item.line <= use.line && use.line <= item.endLine;
    const user = changesOf(file, "function").find(({ after }) => holds(after))?.after;
    if (user) functions.add(user.start);
    // Reading all the file's items is left to the end.
    else if (headingAt(file.after, use.line)?.isFunction) return false;
    else {
      const around = file.after.items.find(holds);
      if (around?.kind !== "prototype" || !changed.has(around.name)) return false;
    }
  }
  let onStack = 0;
  for (const change of changesOf(file, "function")) {
    if (!change.after || !functions.has(change.after.start)) continue;
    const declared = stackVariables(file.after.syntax(change.after), name, changed);
    if (declared === undefined) return false;
    onStack += declared;
  }
  return onStack > 0;
}

/** Functions that use what they are given only while they run. */
const HARMLESS = /^(?:__builtin_)?mem(?:set|cpy|move|cmp|zero_explicit)$|^sizeof$/;

/** How many variables of the type a function has on its stack; undefined when an object of it may go elsewhere. */
function stackVariables(root: SyntaxNode, name: string, changed: ReadonlySet<string>): number | undefined {
  const declared = new Map<string, SyntaxNode>();
  let onStack = 0;
  for (const node of descendants(root)) {
    if (node.type !== "type_identifier" || node.text !== name) continue;
    const specifier = node.parent?.type.endsWith("_specifier") ? node.parent : node;
    const holder = specifier.parent;
    if (holder?.type !== "declaration" && holder?.type !== "parameter_declaration") return undefined;
    if (holder.children.some((child) => child.type === "storage_class_specifier")) return undefined;
    for (const child of holder.children) {
      if (child.startIndex < specifier.endIndex || !child.isNamed || child.type === "comment") continue;
      const variable = innermostName(child);
      if (!variable) return undefined;
      const inner = child.type === "init_declarator" ? child.childForFieldName("declarator") : child;
      // What a local pointer points to may come from anywhere.
      if (holder.type === "declaration" && inner?.type !== "identifier") return undefined;
      if (holder.type === "declaration") onStack++;
      declared.set(variable.text, variable);
    }
  }
  const harmless = new Set(
    callsIn(root)
      .filter((call) => changed.has(call.name) || HARMLESS.test(call.name))
      .flatMap((call) => call.arguments.map(({ id }) => id)),
  );
  for (const node of descendants(root)) {
    if (node.type !== "identifier" || !declared.has(node.text)) continue;
    if (declared.get(node.text)?.id === node.id) continue;
    const outer = node.parent?.type === "pointer_expression" ? node.parent : node;
    const isMember = node.parent?.type === "field_expression" || outer.parent?.type === "sizeof_expression";
    if (!isMember && !harmless.has(outer.id)) return undefined;
  }
  return onStack;
}
