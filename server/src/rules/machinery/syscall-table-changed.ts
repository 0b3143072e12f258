import { changesOf } from "../../change/sides.js";
import { saidOfFileKind } from "../built/said-of-file-kind.js";
import type { SourceRule } from "../inspection.js";

/** @see docs/rules/syscall-table-changed.md */
export const syscallTableChanged: SourceRule = {
  id: "syscall-table-changed",
  severity: "unsafe",
  witnesses: ["source", "object"],
  summary: "the system call table or a system call's description changed",
  why: "The table is read-only in the running image and is indexed by numbers that user space knows.",
  remedy: "Reboot into a kernel that has the new call.",
  sources: ["Documentation/process/adding-syscalls.rst", "include/linux/syscalls.h"],
  *check({ file }) {
    yield* saidOfFileKind(file, "syscall-table-changed");
    for (const { before, after, name, place } of changesOf(file, "function")) {
      const item = after ?? before;
      if (!item?.macro || item.kept === "no" || !/^(?:COMPAT_)?SYSCALL(?:32)?_DEFINE/.test(item.macro))
        continue;
      const call = `'${name}' (${item.macro})`;
      if (!before)
        yield {
          at: place,
          symbol: name,
          message: `the system call ${call} is new; the running kernel's table has no entry for it`,
        };
      else if (!after)
        yield {
          at: place,
          symbol: name,
          message: `the system call ${call} is removed; the running kernel's table keeps leading to the old code`,
          remedy: "Keep it, and let it return -ENOSYS.",
        };
      else if (before.macro !== after.macro || before.parameters.join() !== after.parameters.join())
        yield {
          at: place,
          symbol: name,
          message: `the system call ${call} takes other arguments: (${after.parameters.join(", ")}) instead of (${before.parameters.join(", ")})`,
          why: "Programs pass what they were compiled with, and the call's description was registered at boot.",
          remedy: "Keep the arguments as they are.",
        };
    }
    const [number] = changesOf(file, "macro").filter(({ name }) => /^__NR(?:3264)?_/.test(name));
    if (number)
      yield {
        at: number.place,
        symbol: number.name,
        message: `the number of a system call, '${number.name}', ${number.before ? "changed" : "is new"}; the running kernel's table stays as it is`,
      };
  },
};
