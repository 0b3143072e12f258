import { type Call, callsIn, callsWithout, descendants } from "../../change/calls.js";
import type { FunctionItem } from "../../change/item.js";
import { changesOf, placeOfNode, type Sides, sidesOf } from "../../change/sides.js";
import type { SyntaxNode } from "../../syntax/tree.js";
import type { Fix, Inspection, SourceFinding, SourceRule } from "../inspection.js";

/** @see docs/rules/once-macro.md */
export const onceMacro: SourceRule = {
  id: "once-macro",
  severity: "needs-review",
  witnesses: ["source", "object"],
  summary: "a once-only macro (pr_*_once, WARN_ONCE, DO_ONCE) was added or removed",
  why: "Its hidden flag is a static variable without a name of its own: a new one starts anew whenever the patch is loaded, and among several in a function it is not certain which is which after one is gone.",
  remedy: "Use a plain static bool, which has a name to be matched by.",
  sources: ["include/linux/once.h", "include/linux/once_lite.h", "kpatch's patch author guide, once macros"],
  *check({ file }) {
    for (const change of changesOf(file, "function")) {
      if (change.after?.kept === "no" || onceWords(change.before) === onceWords(change.after)) continue;
      const sides = sidesOf(file, change);
      if (!sides.before || !sides.after) continue;
      const [old, now] = [onceIn(sides.before), onceIn(sides.after)];
      // Only counted by name: another text or condition in the same call leaves its flag as it is.
      for (const call of surplus(now, old)) if (!IN_BUG_TABLE.test(call.name)) yield added(call, sides, file);
      const gone = surplus(old, now).filter(({ name }) => !IN_BUG_TABLE.test(name));
      const [first] = gone;
      if (first) yield removed(first, gone, now, sides);
    }
  },
};

/** Prints or warns (include/linux/printk.h, net.h, dev_printk.h, bug.h): once too often is harmless. */
const PRINTS =
  /^(?:printk|(?:pr|dev|netdev|netif|net|wiphy|drm|hid|bt_dev|pci|sdev|xfs|btrfs|ext4|nfs)_\w*)_once$|^(?:[A-Z0-9]+_)*WARN(?:_ON|_TAINT)?(?:_[A-Z]+)*_ONCE(?:_[A-Z]+)*$/;
/** Does something once (include/linux/once.h, net.h). */
const DOES =
  /^DO_ONCE(?:_\w+)?$|^(?:net_)?get_random_once(?:_wait)?$|^get_random_\w+_once$|^net_get_random_once$/;
/** Marked in the table of bugs, without a variable (include/asm-generic/bug.h, BUGFLAG_ONCE). */
const IN_BUG_TABLE = /^(?:[A-Z0-9]+_)*WARN_ON(?:_SMP)?_ONCE$/;

/** What could be such macros, in order: syntax costs more than text. */
function onceWords(item: FunctionItem | undefined): string {
  return (item?.body.match(/\w*once\w*/gi) ?? []).join(" ");
}

function onceIn(body: SyntaxNode): Call[] {
  return callsIn(body).filter(({ name }) => PRINTS.test(name) || DOES.test(name));
}

/** Calls that one side makes more often than the other, those with the same arguments matched first. */
function surplus(calls: readonly Call[], others: readonly Call[]): Call[] {
  const left = callsWithout(calls, others);
  const rest = callsWithout(others, calls).map(({ name }) => name);
  return left.filter(({ name }) => {
    const at = rest.indexOf(name);
    if (at !== -1) rest.splice(at, 1);
    return at === -1;
  });
}

function added(call: Call, { change, after }: Sides, file: Inspection["file"]): SourceFinding {
  const common = { at: placeOfNode(file, call.at), symbol: change.name };
  if (DOES.test(call.name))
    return {
      ...common,
      message: `${call.name} in '${change.name}' runs once more each time the patch is loaded`,
      why: "Whether it has run is kept in the patch module: a patch that is loaded again, or replaced by its next version, does it again to state that is in use by then.",
      remedy:
        "Do it in a callback when the patch is applied, or keep the flag where it outlives the patch (klp_state).",
    };
  const fix = after && plainBool(call, after, file);
  return {
    ...common,
    severity: "info",
    message: `new ${call.name} in '${change.name}' speaks once each time the patch is loaded`,
    why: "Its flag comes with the patch and starts anew with it; saying the same thing again is all that can happen.",
    remedy:
      "Nothing to do, unless a later patch takes it out again: a plain static bool has a name to be matched by.",
    ...(fix && { fixes: [fix] }),
  };
}

function removed(call: Call, gone: readonly Call[], left: readonly Call[], { change }: Sides): SourceFinding {
  const names = [...new Set(gone.map(({ name }) => name))].join(", ");
  const common = { at: change.place, symbol: change.name };
  const rivals = left.filter(({ name }) => !IN_BUG_TABLE.test(name));
  const doesSomething = gone.some(({ name }) => DOES.test(name));
  if (doesSomething || rivals.length > 0)
    return {
      ...common,
      message:
        rivals.length > 0
          ? `'${change.name}' loses ${names} and keeps ${rivals[0]?.name}: their flags are told apart by nothing but their order`
          : `'${change.name}' no longer does ${call.name}: what it set up may be needed by code that is not patched`,
    };
  return {
    ...common,
    severity: "info",
    message: `'${change.name}' loses ${names}; its flag stays behind unused`,
    why: "Nothing else reads the flag; when the patch is taken away, the old code goes on with it.",
    remedy: "Nothing to do.",
  };
}

/** A statement of its own that prints: a variable with a name takes the hidden flag's place. */
function plainBool(call: Call, root: SyntaxNode, file: Inspection["file"]): Fix | undefined {
  const statement = call.node.parent;
  const block = statement?.parent;
  const plain = /^((?:pr|dev|netdev|printk)\w*)_once$/.exec(call.name)?.[1];
  if (!plain || statement?.type !== "expression_statement" || block?.type !== "compound_statement")
    return undefined;
  const body = root.childForFieldName("body");
  if (!body) return undefined;
  const words = new Set(
    [...descendants(root)].filter(({ type }) => type === "identifier").map(({ text }) => text),
  );
  const flag = ["reported", "printed", "already_reported"].find((name) => !words.has(name));
  if (!flag) return undefined;
  const [first] = body.namedChildren;
  const indent = (file.after?.lines.line(statement.startPosition.row + 1) ?? "").match(/^\s*/)?.[0] ?? "\t";
  const text = statement.text.replace(call.name, plain).replace(/\n/g, "\n\t");
  const open = placeOfNode(file, body);
  const at = { ...open, column: open.column + 1, endLine: open.line, endColumn: open.column + 1 };
  return {
    title: `Use a static bool '${flag}' instead of ${call.name}`,
    edits: [
      { ...at, text: `\n\tstatic bool ${flag};${first?.type === "declaration" ? "" : "\n"}` },
      {
        ...placeOfNode(file, statement),
        text: `if (!${flag}) {\n${indent}\t${flag} = true;\n${indent}\t${text}\n${indent}}`,
      },
    ],
  };
}
