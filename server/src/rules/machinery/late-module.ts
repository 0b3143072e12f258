import { firstChange } from "../../change/first-change.js";
import type { SourceRule } from "../inspection.js";

/** @see docs/rules/late-module.md */
export const lateModule: SourceRule = {
  id: "late-module",
  severity: "info",
  witnesses: ["source", "object"],
  summary: "a patched or referenced object is a module",
  why: "Its symbols are resolved when it is loaded, now or later, through livepatch relocations.",
  remedy: "Nothing to do.",
  sources: ["Documentation/livepatch/module-elf-format.rst"],
  *check({ file, changes, facts }) {
    const module = moduleOf(file.path);
    if (module === undefined || file.isCosmetic) return;
    const first = changes.files.find((other) => !other.isCosmetic && moduleOf(other.path) === module);
    if (first !== file) return;
    yield {
      at: firstChange(file),
      symbol: module,
      message: `${file.path} is part of the module ${module}: the patch waits for it where it is not loaded`,
    };

    function moduleOf(path: string): string | undefined {
      if (!path.endsWith(".c")) return undefined;
      const build = facts.build(path);
      return build.into === "module" ? (build.module ?? path) : undefined;
    }
  },
};
