import type { ChangedFile } from "../../change/change-set.js";
import { firstChange } from "../../change/first-change.js";
import type { TreeFacts } from "../../tree/tree-facts.js";
import type { SourceRule } from "../inspection.js";

/** @see docs/rules/not-built.md */
export const notBuilt: SourceRule = {
  id: "not-built",
  severity: "unsafe",
  witnesses: ["source", "object"],
  summary: "a changed file is not compiled under the profile's configuration",
  why: "What the kernel was built without is not in its image: there is nothing to redirect.",
  remedy: "Review against a kernel whose configuration turns the file on, or leave it out of the hot patch.",
  sources: ["Documentation/kbuild/makefiles.rst"],
  *check({ file, changes, facts }) {
    if (file.isCosmetic || partOfKernel(file, facts) !== "no") return;
    const { path } = file;
    const { option } = facts.build(path);
    const reason =
      file.kind.role === "header"
        ? "no file that is compiled includes it"
        : option === undefined
          ? "no unit of this kernel is made of it"
          : `${option} is off`;
    // As the build says it: only bad when nothing else of the patch is compiled.
    const isAlone = !changes.files.some((other) => other !== file && partOfKernel(other, facts) === "yes");
    yield {
      at: firstChange(file),
      ...(isAlone ? {} : { severity: "info" as const }),
      message: `${path} is not compiled for ${facts.tree.id}: ${reason}`,
    };
  },
};

/** Whether compiled code is made of a file that the patch finds there and leaves there. */
function partOfKernel(file: ChangedFile, facts: TreeFacts): "yes" | "no" | "unknown" {
  const { path, kind, existedBefore, existsAfter } = file;
  if (kind.role === "other" || !existedBefore || !existsAfter) return "unknown";
  if (kind.role === "header") {
    // Without a configuration, whoever includes it counts.
    const { units, atLeast } = facts.reach(path);
    return units > 0 ? "yes" : atLeast ? "unknown" : "no";
  }
  const { into } = facts.build(path);
  return into === "nothing" ? "no" : into === "unknown" ? "unknown" : "yes";
}
