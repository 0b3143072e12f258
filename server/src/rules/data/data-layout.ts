import type { TypedefItem } from "../../change/item.js";
import { isSameType, sizeOfType } from "../../change/layout.js";
import { changesOf } from "../../change/sides.js";
import type { Inspection, SourceFinding, SourceRule } from "../inspection.js";
import { codeText } from "./code-text.js";
import { isLocal, type LayoutChange, layoutChanges } from "./layout-change.js";
import { shadowVariableFix } from "./shadow-variable-fix.js";

/** @see docs/rules/data-layout.md */
export const dataLayout: SourceRule = {
  id: "data-layout",
  severity: "unsafe",
  witnesses: ["source", "object"],
  summary: "a type shared with unpatched code changed its size, offsets or meaning",
  why: "Objects of the old layout are alive, and code outside the patch keeps using it: new code would read and write the wrong bytes.",
  remedy:
    "Leave the type alone and keep the new field in a shadow variable (klp_shadow_alloc), which hangs on the object's address.",
  sources: ["Documentation/livepatch/shadow-vars.rst", "include/linux/livepatch.h"],
  *check(inspection) {
    for (const change of layoutChanges(inspection))
      if (!isLocal(change, inspection)) yield layoutFinding(change, inspection);
    yield* typedefFindings(inspection);
  },
};

function layoutFinding(change: LayoutChange, inspection: Inspection): SourceFinding {
  const { name, at, kind, what, added, cause } = change;
  // Of a type that is written as before nobody has looked for users.
  const users = cause ? [] : related(name, inspection);
  const fix = added.length === 1 ? shadowVariableFix(change, inspection) : undefined;
  const common = {
    at,
    symbol: name,
    related: [...(cause ? [cause] : []), ...users],
    ...(fix && { fixes: [fix] }),
  };
  if (kind === "moved") return { ...common, message: `${described(name)} ${what}` };
  return {
    ...common,
    severity: "needs-review",
    message: `${described(name)} ${what}`,
    ...(added.length > 0
      ? {
          why: "Size and offsets stay as they are, but objects made by old code hold nothing meaningful in the new field, and whoever clears or copies the whole object does not know of it.",
          remedy:
            "Make sure that what unset memory there says is harmless, also after the patch is taken away, or keep the field in a shadow variable.",
        }
      : {
          why: "Size and offsets stay as they are, but code outside the patch, and objects made by old code, go by the old meaning.",
          remedy:
            "Make sure that old and new code agree on every value that can be there, or keep the member as it was.",
        }),
  };
}

/** A typedef's holders are all that name it. */
function* typedefFindings(inspection: Inspection): Generator<SourceFinding> {
  for (const { before, after, name, place } of changesOf(inspection.file, "typedef")) {
    if (!before || !after || before.kept === "no" || after.kept === "no") continue;
    const [was, is] = [targetOf(before), targetOf(after)];
    const [old, now] = [sizeOfType(was), sizeOfType(is)];
    if (isSameType(was, is)) continue;
    const isSameSize = isPointer(was) && isPointer(is) ? true : old !== undefined && old === now;
    yield {
      at: place,
      symbol: name,
      ...(isSameSize && { severity: "needs-review" as const }),
      message: `'${name}' stands for ${codeText(is)} instead of ${codeText(was)}, in every type and function that uses it`,
      related: related(name, inspection),
    };
  }
}

function targetOf({ tokens, name }: TypedefItem): string {
  const words = tokens.replace(/ ;$/, "").split(" ").slice(1);
  const at = words.lastIndexOf(name);
  return words.filter((_, index) => index !== at).join(" ");
}

/** Also a function's type, of which there are only pointers. */
function isPointer(type: string): boolean {
  return type.endsWith("*") || /\( \*? ?\)/.test(type);
}

function described(name: string): string {
  return /^(?:struct|union) \{/.test(name) ? "an unnamed type" : `'${name}'`;
}

/** Code outside the patch that names the type. */
function related(name: string, { facts }: Inspection): { at: SourceFinding["at"]; message: string }[] {
  const bare = name.replace(/^(?:struct|union) /, "");
  if (!/^\w+$/.test(bare)) return [];
  const places = facts.uses(bare).places.filter(({ kind }) => kind === "type");
  const seen = new Set<string>();
  const outside = places.filter(({ file, within, inPatch }) => {
    const key = `${file} ${within}`;
    if (inPatch || seen.has(key)) return false;
    seen.add(key);
    return true;
  });
  return outside.slice(0, 4).map(({ file, line, column, within }) => ({
    at: { file, line, column, endLine: line, endColumn: column + bare.length },
    message: within
      ? `'${within}', which the patch does not change, uses it`
      : "used here, in a file that the patch does not change",
  }));
}
