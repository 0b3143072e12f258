import type { SourceFile } from "../../change/item.js";
import type { Edit } from "../inspection.js";

/** Inserts lines behind the last `#include` of a file, or at its top. */
export function behindIncludes({ path, items }: SourceFile, text: string): Edit {
  const last = items.filter(({ kind }) => kind === "include").at(-1);
  const line = last ? last.endLine + 1 : 1;
  return { file: path, line, column: 1, endLine: line, endColumn: 1, text };
}

/** Includes what declares shadow variables and callbacks, unless the file does. */
export function livepatchInclude(file: SourceFile): Edit[] {
  const isThere = file.items.some(
    ({ kind, name }) => kind === "include" && name.replaceAll(" ", "") === "<linux/livepatch.h>",
  );
  return isThere ? [] : [behindIncludes(file, "#include <linux/livepatch.h>\n")];
}
