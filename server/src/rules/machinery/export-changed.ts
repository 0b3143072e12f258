import type { ItemChange } from "../../change/change-set.js";
import { purposeOfMacro } from "../../change/file-scope-macros.js";
import type { CallItem } from "../../change/item.js";
import { changesOf } from "../../change/sides.js";
import type { SourceRule } from "../inspection.js";

/** @see docs/rules/export-changed.md */
export const exportChanged: SourceRule = {
  id: "export-changed",
  severity: "unsafe",
  witnesses: ["source", "object"],
  summary: "an EXPORT_SYMBOL was added, removed or changed, or what is exported is gone",
  why: "The table of exports was built with the image; modules that are loaded have bound to it.",
  remedy: "Keep the exports as they are and give new code an internal name.",
  sources: ["include/linux/export.h", "Documentation/kbuild/modules.rst, Module Versioning"],
  *check({ file, facts }) {
    const exports = changesOf(file, "call").filter(({ before, after }) => {
      const item = after ?? before;
      return item !== undefined && item.kept !== "no" && purposeOfMacro(item.macro) === "export";
    });
    const bySymbol = new Map<string, ItemChange<CallItem>[]>();
    for (const change of exports)
      bySymbol.set(symbolOf(change), [...(bySymbol.get(symbolOf(change)) ?? []), change]);
    for (const [symbol, changes] of bySymbol) {
      const gone = changes.find(({ after }) => !after)?.before;
      const come = changes.find(({ after }) => after)?.after;
      const at = (changes.find(({ after }) => after) ?? changes[0])?.place;
      if (!at) continue;
      yield {
        at,
        symbol,
        message: !come
          ? `'${symbol}' is not exported any more; modules that use it keep calling it`
          : gone && gone.macro !== come.macro
            ? `'${symbol}' is exported by ${come.macro} instead of ${gone.macro}`
            : gone || changes.some(({ before }) => before)
              ? `the export of '${symbol}' changed`
              : `'${symbol}' is newly exported; no module of the running kernel can find it`,
      };
    }
    // The export may stand elsewhere, such as in a file of its own.
    for (const change of file.changes) {
      const { before, after, name, place } = change;
      if (after || !before || before.kept === "no" || bySymbol.has(name)) continue;
      if (before.kind !== "function" && before.kind !== "data") continue;
      if (before.kind === "data" && before.isExtern) continue;
      if (before.isStatic || file.changes.some((other) => other.after && other.name === name)) continue;
      const exported = facts.exported(name);
      if (!exported) continue;
      yield {
        at: place,
        symbol: name,
        message: `'${name}' is gone, and ${exported.module} exports it; modules that use it keep the old one`,
      };
    }
  },
};

function symbolOf({ before, after }: ItemChange<CallItem>): string {
  return (after ?? before)?.arguments[0] ?? "";
}
