import type { Arch } from "@kernel-hotpatch/kernel/profile/profile";
import { changesOf } from "../../change/sides.js";
import type { KernelConfig } from "../../tree/config.js";
import type { SourceRule } from "../inspection.js";
import { listed } from "../listed.js";
import { hasChangedCode } from "./changed-code.js";

/** @see docs/rules/syscall-wrapper.md */
export const syscallWrapper: SourceRule = {
  id: "syscall-wrapper",
  severity: "info",
  witnesses: ["source", "object"],
  summary: "the body of a system call lives in its wrappers",
  why: "SYSCALL_DEFINE inlines the body into functions such as __x64_sys_NAME: these are the ones redirected.",
  remedy: "Trace and probe the wrapper's name, not the system call's.",
  sources: ["arch/x86/include/asm/syscall_wrapper.h", "arch/arm64/include/asm/syscall_wrapper.h"],
  *check({ file, facts }) {
    for (const change of changesOf(file, "function")) {
      const { macro } = change.after ?? {};
      if (!hasChangedCode(change) || macro === undefined || change.after.kept === "no") continue;
      if (!/^(?:COMPAT_)?SYSCALL_DEFINE\d$/.test(macro)) continue;
      const wrappers = wrappersOf(change.name, facts.tree.arch, facts.tree.config);
      const inner = macro.endsWith("0")
        ? ""
        : `, with '__do_${change.name}' and '__se_${change.name}' inlined`;
      yield {
        at: change.place,
        symbol: change.name,
        message: `what is redirected is ${listed(wrappers.map((name) => `'${name}'`))}${inner}`,
      };
    }
  },
};

/** The symbols that a system call's macro defines for the system call tables. @param name `sys_open`, `compat_sys_open` */
function wrappersOf(name: string, arch: Arch, config: KernelConfig | undefined): string[] {
  if (arch === "arm64") return [`__arm64_${name}`];
  const isOn = (option: string) => config?.value(option) !== undefined;
  if (name.startsWith("compat_"))
    return [`__ia32_${name}`, ...(isOn("CONFIG_X86_X32_ABI") ? [`__x64_${name}`] : [])];
  return [`__x64_${name}`, ...(isOn("CONFIG_IA32_EMULATION") ? [`__ia32_${name}`] : [])];
}
