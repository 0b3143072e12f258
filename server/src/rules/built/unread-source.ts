import type { ChangedFile, ItemChange } from "../../change/change-set.js";
import { purposeOfMacro } from "../../change/file-scope-macros.js";
import type { Place } from "../../change/place.js";
import type { SourceRule } from "../inspection.js";

/** @see docs/rules/unread-source.md */
export const unreadSource: SourceRule = {
  id: "unread-source",
  severity: "needs-review",
  witnesses: ["source"],
  summary: "a changed stretch of C could not be read, or nobody knows what it defines",
  why: "What could not be read was not judged, and what was not judged is not safe.",
  remedy: "Have a person read it; the object witness sees what the compiler makes of it.",
  sources: ["Documentation/process/coding-style.rst, Macros, Enums and RTL"],
  *check({ file }) {
    if (file.kind.role === "other") return;
    const seen = new Set<ItemChange>();
    const lines = new Set<number>();
    for (const place of file.unread) {
      const around = file.changes.find(({ after }) => after && isWithin(after, place));
      if (around ? around.after?.kept === "no" || seen.has(around) : lines.has(place.line)) continue;
      if (around) seen.add(around);
      lines.add(place.line).add(place.line + 1);
      yield {
        at: place,
        ...(around?.after?.kind === "function" && { symbol: around.name }),
        message:
          around?.after?.kind === "function"
            ? `'${around.name}' changed and cannot be read from here on; the rest of it was not judged`
            : "this changed line cannot be read, and was not judged",
      };
    }
    const told = new Set<string>();
    for (const change of file.changes) {
      if (seen.has(change) || (change.after ?? change.before)?.kept === "no") continue;
      const message = whatIsUnknown(file, change);
      if (message === undefined || told.has(message)) continue;
      told.add(message);
      yield { at: change.place, message };
    }
  },
};

function isWithin(item: { readonly line: number; readonly endLine: number }, { line }: Place): boolean {
  return item.line <= line && line <= item.endLine;
}

function whatIsUnknown(file: ChangedFile, { before, after, place }: ItemChange): string | undefined {
  const item = after ?? before;
  const what = !before ? "is new" : !after ? "is removed" : "changed";
  const purpose = item?.kind === "call" ? purposeOfMacro(item.macro) : undefined;
  // What is only declared means nothing to code that does not name it.
  const isUnknown =
    purpose === undefined || (purpose === "declares" && before !== undefined && after !== undefined);
  if (item?.kind === "call" && isUnknown)
    return `'${item.macro}' at file scope ${what}; what it defines is not known`;
  const isUnread = item?.kind === "unread" && !file.unread.some(({ line }) => line === place.line);
  if (isUnread) return `a stretch that cannot be read ${what}, and was not judged`;
  if (item?.kind === "other" && !isHarmless(item.tokens))
    return `'${short(item.name)}' ${what}; what it is, is not known`;
  return undefined;
}

/** A type that is only named, and what is empty. */
function isHarmless(tokens: string): boolean {
  return /^(?:(?:struct|union|enum) \w+)?(?: ?;)*$/.test(tokens);
}

function short(name: string): string {
  return name.length > 40 ? `${name.slice(0, 40)}…` : name;
}
