import { spawnSync } from "node:child_process";

/** Runs git as somebody. @throws Error with git's words when it fails */
export function gitIn(folder: string, ...args: string[]): string {
  // No rubbish is collected behind our back.
  const who = ["-c", "gc.auto=0", "-c", "user.name=n", "-c", "user.email=e@example.org"];
  const { status, stdout, stderr } = spawnSync("git", [...who, ...args], { cwd: folder, encoding: "utf8" });
  if (status !== 0) throw new Error(`git ${args[0]}: ${stderr}`);
  return stdout;
}
