import type { ChangedFile } from "./change-set.js";
import type { Place } from "./place.js";

/** The place of a file's first change: its first changed item, else its first changed line, else its top. */
export function firstChange(file: ChangedFile): Place {
  const [first] = file.changes;
  if (first) return first.place;
  const line = Math.max(1, file.hunks[0]?.after.start ?? 1);
  const text = file.after?.lines.lines[line - 1] ?? "";
  return {
    file: file.path,
    line,
    column: text.search(/\S/) + 1 || 1,
    endLine: line,
    endColumn: text.trimEnd().length + 1,
  };
}
