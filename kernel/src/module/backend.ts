import { readFile } from "node:fs/promises";
import { Fault } from "../host/fault.js";
import { type KernelConfig, parseConfig } from "../profile/config.js";
import type { KernelProfile } from "../profile/profile.js";

/** How a patch module redirects functions: by the kernel's livepatch, or by our own core on top of ftrace. */
export type Backend = "livepatch" | "ftrace";

/** A back end and why it is this one. */
export interface Choice {
  readonly backend: Backend;
  readonly why: string;
}

/**
 * Chooses by what the kernel offers.
 * @throws Fault `lacking` when it offers neither
 */
export async function backendOf({
  arch,
  config,
  id,
}: Pick<KernelProfile, "arch" | "config" | "id">): Promise<Choice> {
  const choice = chooseBackend(arch, parseConfig(await readFile(config, "utf8")));
  if ("backend" in choice) return choice;
  throw new Fault("lacking", `${id} cannot be hot patched: ${choice.lacks}`);
}

/** @returns a back end, or what the kernel lacks for any */
export function chooseBackend(
  arch: KernelProfile["arch"],
  config: KernelConfig,
): Choice | { readonly lacks: string } {
  const has = (option: string) => config.get(`CONFIG_${option}`) === "y";
  if (has("LIVEPATCH")) return { backend: "livepatch", why: "the kernel has CONFIG_LIVEPATCH" };
  if (arch !== "arm64") return { lacks: "it has no CONFIG_LIVEPATCH" };
  // arch/arm64/kernel/entry-ftrace.S: registers are handed to tracers by the one up to 6.1, by the other from 6.2 on.
  const registers = ["DYNAMIC_FTRACE_WITH_ARGS", "DYNAMIC_FTRACE_WITH_REGS"].find(has);
  const missing = ["MODULES", "KALLSYMS", "KPROBES"].filter((option) => !has(option));
  if (registers === undefined) missing.push("DYNAMIC_FTRACE_WITH_ARGS or _WITH_REGS");
  // The compiler leaves out landing pads where it sees every call; ours come through a register.
  if (has("ARM64_BTI_KERNEL")) missing.push("a kernel without ARM64_BTI_KERNEL");
  if (registers === undefined || missing.length > 0)
    return { lacks: `it has no CONFIG_LIVEPATCH, and for a core of our own it lacks ${missing.join(", ")}` };
  return {
    backend: "ftrace",
    why: `the kernel has no CONFIG_LIVEPATCH, and CONFIG_${registers} for a core of our own`,
  };
}
