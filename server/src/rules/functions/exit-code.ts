import { functionHeading } from "../../change/outline.js";
import { changesOf } from "../../change/sides.js";
import type { Use } from "../../tree/tree-facts.js";
import type { SourceRule } from "../inspection.js";
import { EXITCALL, exitAnnotation, wordsOfHead } from "./annotations.js";
import { shownUses } from "./callers.js";
import { hasChangedCode } from "./changed-code.js";
import { onlyUsedBy } from "./only-used-by.js";

/** @see docs/rules/exit-code.md */
export const exitCode: SourceRule = {
  id: "exit-code",
  severity: "needs-review",
  witnesses: ["source", "object"],
  summary: "code that runs only when a module goes changed",
  why: "It runs once, when a module goes, and has no ftrace entry where it is marked __exit; in vmlinux it is not even kept.",
  remedy: "Leave it out unless the module will really be unloaded while the patch is in place.",
  sources: ["include/linux/init.h"],
  *check({ file, facts }) {
    const { after: source } = file;
    if (!source?.text.includes("exit")) return;
    const { into, module } = facts.build(file.path);
    for (const change of changesOf(file, "function")) {
      if (!hasChangedCode(change) || change.after.kept === "no") continue;
      const { before, after, name, place } = change;
      const word = exitAnnotation([...before.annotations, ...after.annotations]);
      if (word !== undefined) {
        yield {
          at: place,
          symbol: name,
          message:
            into === "vmlinux"
              ? `'${name}' is ${word} in code that is no module: the image does not hold it`
              : `'${name}' is ${word}: it runs only when module ${module ?? "code"} is unloaded, and cannot be redirected`,
        };
        continue;
      }
      const isFinal = ({ kind, within, file: user, argumentOf }: Use) => {
        if (within === undefined) return argumentOf !== undefined && EXITCALL.test(argumentOf);
        const heading = user === file.path && kind === "call" ? functionHeading(source, within) : undefined;
        return heading !== undefined && exitAnnotation(wordsOfHead(heading.text)) !== undefined;
      };
      const uses = onlyUsedBy(facts, source, name, isFinal);
      if (uses)
        yield {
          at: place,
          symbol: name,
          message: `'${name}' runs only when ${into === "module" && module !== undefined ? `module ${module}` : "its module"} is unloaded`,
          related: shownUses(uses, name),
        };
    }
  },
};
