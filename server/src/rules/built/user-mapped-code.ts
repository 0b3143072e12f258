import { kindOfFile } from "@kernel-hotpatch/kernel/build/file-kinds";
import { firstChange } from "../../change/first-change.js";
import type { SourceRule } from "../inspection.js";
import { saidOfFileKind } from "./said-of-file-kind.js";

/** @see docs/rules/user-mapped-code.md */
export const userMappedCode: SourceRule = {
  id: "user-mapped-code",
  severity: "unsafe",
  witnesses: ["source"],
  summary: "code that runs before the kernel or inside user processes changed",
  why: "Boot code has run and is gone; the vDSO is mapped into every process and has no ftrace entries.",
  remedy: "Reboot into a newly built kernel.",
  sources: ["arch/x86/entry/vdso/Makefile", "Documentation/arch/x86/boot.rst"],
  *check({ file, facts }) {
    yield* saidOfFileKind(file, "user-mapped-code");
    if (file.kind.role !== "header" || file.kind.observation || file.isCosmetic || !file.existedBefore)
      return;
    // Beside the vDSO lies code of the kernel itself, such as arch/x86/entry/vdso/vma.c.
    const sharing = facts
      .reach(file.path)
      .examples.find(
        (unit) =>
          kindOfFile(unit).observation?.rule === "user-mapped-code" &&
          facts.build(unit).into !== "vmlinux" &&
          mayShare(file.path, unit),
      );
    if (sharing === undefined) return;
    yield {
      at: firstChange(file),
      severity: "needs-review",
      message: `${file.path} is also included by ${sharing}, whose code cannot be replaced`,
      remedy: "Make sure that this other code need not change, or move the change into the .c files.",
    };
  },
};

/** A folder's own headers are for that folder: elsewhere another one of the same name is meant. */
function mayShare(header: string, unit: string): boolean {
  const [top] = header.split("/");
  return top === "include" || top === unit.split("/")[0];
}
