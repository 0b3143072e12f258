import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultCache } from "@kernel-hotpatch/kernel/host/work";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { hotpatch } from "./hotpatch.js";

/**
 * A stock x86_64 kernel to try things on: the newest that was added, else Debian's newest, which is added now.
 * That takes some minutes and the network once.
 */
export async function stockKernel(): Promise<KernelProfile> {
  const { stdout } = await hotpatch(["kernel", "list", "--json"]);
  const { profiles }: { profiles: KernelProfile[] } = JSON.parse(stdout);
  const added = profiles.filter(({ id, arch }) => id.startsWith("debian/") && arch === "x86_64").at(-1);
  if (added) return added;
  const {
    status,
    stdout: profile,
    stderr,
  } = await hotpatch(["kernel", "add", "debian/latest-amd64", "--json"]);
  if (status !== 0)
    throw new Error(`end-to-end tests need a stock kernel, and it cannot be added:\n${stderr}`);
  return JSON.parse(profile);
}

/** A folder for one test; `XDG_CACHE_HOME` below it is a cache of its own that knows the real one's kernels. */
export interface Bench {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** The cache's own folder. */
  readonly cache: string;
  remove(): Promise<void>;
}

export async function privateBench(): Promise<Bench> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "hotpatch-test-")));
  const cache = join(folder, "cache/kernel-hotpatch");
  await mkdir(cache, { recursive: true });
  await symlink(join(defaultCache(), "kernels"), join(cache, "kernels"));
  const remove = () => rm(folder, { recursive: true, force: true });
  return { folder, cache, env: { XDG_CACHE_HOME: join(folder, "cache") }, remove };
}

/**
 * The patch that an edit of one of the kernel's files makes, as `diff -u` writes it.
 * @param path relative to the tree's root
 * @param edit must change something
 */
export async function patchOf(
  kernel: KernelProfile,
  path: string,
  edit: (text: string) => string,
): Promise<string> {
  const file = join(kernel.source, path);
  const before = await readFile(file, "latin1");
  const after = edit(before);
  if (after === before) throw new Error(`the edit does not change ${path} of ${kernel.id}`);
  const labels = ["--label", `a/${path}`, "--label", `b/${path}`];
  const diff = spawnSync("diff", ["-u", ...labels, file, "-"], { input: Buffer.from(after, "latin1") });
  if (diff.status !== 1) throw new Error(`diff failed: ${diff.stderr}`);
  return diff.stdout.toString("latin1");
}

/** A line of /proc/meminfo that only the patched kernel has: the smallest change that anybody can see. */
export async function meminfoPatch(kernel: KernelProfile): Promise<string> {
  return patchOf(kernel, "fs/proc/meminfo.c", (text) =>
    text.replace(/^\tarch_report_meminfo\(m\);\n/m, '$&\tseq_puts(m, "HotPatched:            1\\n");\n'),
  );
}

/** The test that goes with {@link meminfoPatch}. */
export const MEMINFO_TEST = "tail -n 1 /proc/meminfo\ngrep -q '^HotPatched: *1$' /proc/meminfo\n";

/** A folder with links to every program on PATH but those whose names match: the value of a PATH that lacks them. */
export async function pathWithout(folder: string, names: RegExp): Promise<string> {
  await mkdir(folder);
  for (const place of (process.env.PATH ?? "").split(":").filter((entry) => entry.startsWith("/"))) {
    for (const name of await readdir(place).catch(() => [])) {
      if (names.test(name)) continue;
      // The first on PATH counts.
      await symlink(join(place, name), join(folder, name)).catch(() => undefined);
    }
  }
  return folder;
}
