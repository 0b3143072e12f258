import { existsSync } from "node:fs";
import { cp, mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { defaultCache } from "@kernel-hotpatch/kernel/host/work";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { gitIn } from "../git.js";
import { type Bench, MEMINFO_TEST } from "../kernel.js";
import { WHOLE } from "./whole.js";

/** What lies ready for the suites; they read it from the environment variable `HOTPATCH_STAGE`. */
export interface Stage {
  readonly suites: Suites;
  /** Folder for pictures. */
  readonly screenshots?: string;
  /** Part of a kernel's repository, under git. */
  readonly linux: string;
  /** A whole kernel tree without git; {@link WHOLE} is its own, all else are links into the cache. */
  readonly whole: string;
  readonly kernel: string;
  /** Where the suites' report goes. */
  readonly report: string;
}

/**
 * Those for a workspace that is trusted, for one that is not, those that boot more guests, those of an empty window, and
 * those that have pictures taken.
 */
export type Suites = "trusted" | "untrusted" | "guests" | "newcomer" | "screenshots";

export const FILES = ["fs/proc/meminfo.c", "fs/proc/base.c", "include/linux/sched.h"];

/** What of the cache is kept for later runs: how pristine files were compiled, and what was learnt of kernels and machine. */
const WARM = ["build", "unpacked-images", "kvm-x86_64.json"];

/** Lays everything ready. @returns the stage, and the workspace to open */
export async function setStage(
  bench: Bench,
  kernel: KernelProfile,
  suites: Suites,
): Promise<{ readonly stage: Stage; readonly workspace: string | undefined }> {
  for (const name of WARM) {
    const kept = join(defaultCache(), name);
    if (existsSync(kept)) await symlink(kept, join(bench.cache, name));
  }
  const linux = join(bench.folder, "linux");
  for (const path of ["Makefile", "Kbuild", "MAINTAINERS", ...FILES]) {
    await mkdir(dirname(join(linux, path)), { recursive: true });
    await cp(join(kernel.source, path), join(linux, path));
  }
  await mkdir(join(linux, "hotpatch"));
  await writeFile(
    join(linux, "hotpatch/meminfo.test.sh"),
    suites === "screenshots" ? "grep '^MemTotal:.* KB$' /proc/meminfo\n" : MEMINFO_TEST,
  );
  gitIn(linux, "init", "--quiet");
  gitIn(linux, "add", "--all", "--force");
  gitIn(linux, "commit", "--quiet", "--message", "as it is");
  const whole = join(bench.folder, "whole");
  await linkTree(kernel.source, whole, WHOLE);
  const workspace = join(bench.folder, "kernels.code-workspace");
  await writeFile(workspace, JSON.stringify({ folders: [{ path: linux }, { path: whole }] }));
  const report = join(bench.folder, "report.json");
  return {
    workspace: suites === "newcomer" ? undefined : workspace,
    stage: {
      suites,
      linux,
      whole,
      kernel: kernel.id,
      report,
    },
  };
}

/** A folder with the entries of another one as links, but for one file: whoever writes that writes a copy. */
async function linkTree(from: string, to: string, path: string): Promise<void> {
  const [first = "", ...rest] = path.split("/");
  await mkdir(to);
  for (const name of await readdir(from)) if (name !== first) await symlink(join(from, name), join(to, name));
  if (rest.length > 0) await linkTree(join(from, first), join(to, first), rest.join("/"));
  else await cp(join(from, first), join(to, first));
}

/** Settings of the person in the tests; a newcomer has none of ours. */
export function settingsFor(suites: Suites, kernel: string): Record<string, unknown> {
  return {
    ...(suites !== "newcomer" && { "hotpatch.kernel": kernel }),
    // Browsers save by themselves else.
    "files.autoSave": "off",
    "search.followSymlinks": false,
    "git.enabled": false,
    "extensions.autoUpdate": false,
    "window.commandCenter": false,
    "workbench.startupEditor": "none",
    "telemetry.telemetryLevel": "off",
  };
}
