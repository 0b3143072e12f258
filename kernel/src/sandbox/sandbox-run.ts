import type { Observation } from "../observation.js";

/** One step in the guest, as its KTAP line reported it. */
export interface SandboxStep {
  /** Such as `test before: meminfo`, `load`, `transition`, `unload`. */
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped";
  readonly seconds: number;
  /** What the step printed, line by line. */
  readonly output: readonly string[];
}

/** What a booted kernel said about a `patch.ko`. */
export interface SandboxRun {
  readonly accelerator: "kvm" | "emulation";
  /** `finished`: the guest ran its script to the end and powered off by itself. */
  readonly outcome: "finished" | "panicked" | "hung" | "died";
  readonly steps: readonly SandboxStep[];
  /** Failed loads, stalled transitions, complaints of the kernel, unchanged behaviour, failed unloads. */
  readonly observations: readonly Observation[];
  /** Everything the guest's console printed. */
  readonly kernelLog: string;
  readonly seconds: number;
}
