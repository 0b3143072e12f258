import { readdir, readFile } from "node:fs/promises";

/**
 * Command lines of processes that were started with this variable in their environment, or that name its value: what is
 * confined has another environment.
 */
export async function processesWith(name: string, value: string): Promise<string[]> {
  const wanted = `${name}=${value}`;
  const found: string[] = [];
  for (const pid of (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry))) {
    const environment = await readFile(`/proc/${pid}/environ`, "latin1").catch(() => "");
    const command = (await readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => "")).replaceAll("\0", " ");
    if (environment.split("\0").includes(wanted) || command.includes(value)) found.push(command);
  }
  return found;
}
