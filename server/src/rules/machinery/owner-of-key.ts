import type { Inspection } from "../inspection.js";

/** What a static key or static call belongs to. */
export type Owner = "patch" | "vmlinux" | "unknown" | { readonly module: string };

/**
 * Who owns what a changed file refers to by name. Only exports reach beyond the object that a file is linked into: what is
 * not exported belongs to the same one.
 * @param name of the key
 * @param symbol under which it would be exported
 */
export function ownerOf({ file, changes, facts }: Inspection, name: string, symbol = name): Owner {
  const isNew = changes.changes.some(
    ({ before, after }) =>
      after && !before && (after.kind === "data" || after.kind === "call") && after.name === name,
  );
  if (isNew) return "patch";
  const exported = facts.exported(symbol);
  if (exported) return exported.module === "vmlinux" ? "vmlinux" : { module: exported.module };
  const build = facts.build(file.path);
  // The kernel itself cannot refer to a module.
  if (build.into === "vmlinux" || build.into === "library") return "vmlinux";
  const isOwn = (file.after?.items ?? []).some(
    (item) => item.kind === "data" && item.name === name && !item.isExtern,
  );
  if (build.into !== "module" || !(isOwn || facts.tree.moduleSymvers !== undefined)) return "unknown";
  return { module: build.module ?? file.path };
}
