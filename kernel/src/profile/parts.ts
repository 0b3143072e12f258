import type { KernelProfile } from "./profile.js";

/** A kernel's files as they were found, before anything was made of them. */
export type KernelParts = Pick<
  KernelProfile,
  "arch" | "release" | "image" | "config" | "moduleSymvers" | "source" | "modules" | "busybox" | "origin"
>;
