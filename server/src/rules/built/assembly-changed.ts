import type { SourceRule } from "../inspection.js";
import { saidOfFileKind } from "./said-of-file-kind.js";

/** @see docs/rules/assembly-changed.md */
export const assemblyChanged: SourceRule = {
  id: "assembly-changed",
  severity: "unsafe",
  witnesses: ["source", "object"],
  summary: "assembly outside of functions changed",
  why: "Code from .S files and top-level asm() has no ftrace entry, and the assembler keeps no record of what belongs together.",
  remedy: "Wrap the caller in C, or repair the state from a callback.",
  sources: ["Documentation/livepatch/livepatch.rst, Limitations"],
  *check({ file }) {
    yield* saidOfFileKind(file, "assembly-changed");
    const blocks = file.changes.filter(({ before, after }) => {
      const item = after ?? before;
      return item?.kind === "assembly" && item.kept !== "no";
    });
    // A changed block is one that went and one that came.
    const come = blocks.filter(({ after }) => after);
    for (const { after, place } of come.length > 0 ? come : blocks)
      yield {
        at: place,
        message: after
          ? "asm() outside of functions is new or changed; what it assembles cannot be redirected"
          : "asm() outside of functions is removed; what it assembled stays in the running kernel",
      };
  },
};
