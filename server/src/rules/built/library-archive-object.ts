import type { SourceRule } from "../inspection.js";

/** @see docs/rules/library-archive-object.md */
export const libraryArchiveObject: SourceRule = {
  id: "library-archive-object",
  severity: "unsafe",
  witnesses: ["source", "object"],
  summary: "the object goes into a library archive (lib-y)",
  why: "Archive members are linked only on demand, may exist twice (boot code has its own copy), and their place in the image cannot be told from the object.",
  remedy: "Copy the fixed function into the file that calls it, under a new name.",
  sources: ["Documentation/kbuild/makefiles.rst, Library file goals - lib-y"],
  *check({ file, facts }) {
    const { path, existedBefore, existsAfter, isCosmetic, changes } = file;
    if (file.kind.role !== "unit" || !existedBefore || !existsAfter || isCosmetic) return;
    if (facts.build(path).into !== "library") return;
    const [first] = changes.filter(({ before, after }) => (after ?? before)?.kept !== "no");
    if (!first) return;
    yield {
      at: first.place,
      symbol: first.name,
      message: `${path} goes into lib.a, where functions have no ftrace entry and may exist more than once`,
    };
  },
};
