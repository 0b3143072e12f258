import type { ReadConditions } from "../change/read-change-set.js";
import type { SourceTree } from "./source-tree.js";

/** Provisional: replaced by branch `tree`. */
export function readConditionsOf(tree: SourceTree): ReadConditions {
  return (_path, text) => {
    const open: string[] = [];
    const lines = text.split("\n").map((line) => {
      const found = /^\s*#\s*(ifdef|ifndef|if|else|endif)\s*(.*)/.exec(line);
      if (found?.[1] === "endif") open.pop();
      else if (found?.[1] === "else") open.push(`!(${open.pop() ?? ""})`);
      else if (found) open.push(found[1] === "ifdef" ? `defined(${found[2]})` : (found[2] ?? ""));
      const off = open.some((condition) => {
        const option = /^defined\((CONFIG_\w+)\)$/.exec(condition)?.[1];
        return option !== undefined && tree.config?.value(option) === undefined;
      });
      return { conditions: [...open], kept: off ? ("no" as const) : ("yes" as const) };
    });
    return (line) => lines[line - 1] ?? { conditions: [], kept: "yes" };
  };
}
