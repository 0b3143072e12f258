import { readdir, readFile } from "node:fs/promises";

/** Command lines of processes that were started with this variable in their environment. */
export async function processesWith(name: string, value: string): Promise<string[]> {
  const wanted = `${name}=${value}`;
  const found: string[] = [];
  for (const pid of (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry))) {
    const environment = await readFile(`/proc/${pid}/environ`, "latin1").catch(() => "");
    if (!environment.split("\0").includes(wanted)) continue;
    found.push((await readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => "")).replaceAll("\0", " "));
  }
  return found;
}
