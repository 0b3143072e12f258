import type { SourceFile } from "../../change/item.js";
import type { Edit } from "../inspection.js";

/** Inserts lines behind the last `#include` of a file, or at its top. */
export function behindIncludes({ path, items }: SourceFile, text: string): Edit {
  const last = items.filter(({ kind }) => kind === "include").at(-1);
  const line = last ? last.endLine + 1 : 1;
  return { file: path, line, column: 1, endLine: line, endColumn: 1, text };
}

/** Includes what declares callbacks and shadow variables (kernel/runtime/include/hotpatch.h), unless the file does. */
export function hotpatchInclude(file: SourceFile): Edit[] {
  const isThere = file.items.some(
    ({ kind, name }) => kind === "include" && name.replaceAll(" ", "") === "<hotpatch.h>",
  );
  return isThere ? [] : [behindIncludes(file, "#include <hotpatch.h>\n")];
}
