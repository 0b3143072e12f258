import { firstChange } from "../../change/first-change.js";
import type { SourceRule } from "../inspection.js";

/** @see docs/rules/no-configuration.md */
export const noConfiguration: SourceRule = {
  id: "no-configuration",
  severity: "needs-review",
  witnesses: ["source"],
  summary: "the kernel tree has no configuration",
  why: "Which files and which branches of #if are compiled is then unknown; both sides were judged as if they were.",
  remedy: "Name a kernel with --kernel, or put the target's configuration into the tree as .config.",
  sources: ["Documentation/kbuild/kconfig.rst"],
  *check({ file, changes, facts }) {
    if (facts.tree.config || file !== changes.files[0]) return;
    yield {
      at: firstChange(file),
      message: `${facts.tree.id} has no .config: what of this patch is compiled is not known`,
    };
  },
};
