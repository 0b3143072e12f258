import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { Fault } from "./fault.js";
import type { Work } from "./work.js";

/**
 * Does `action` while holding the lock on `path`, waiting for another process that holds it.
 * The kernel's own file lock, held by `flock … cat` (util-linux) at the end of a pipe: it is free again the moment
 * we die, however that happens, so no lock is ever stale.
 * @param path lock file, created when missing, never removed
 * @throws Fault `interrupted` when stopped while waiting, `lacking` without flock; what `action` throws
 */
export async function withLock<T>(
  work: Work,
  path: string,
  waitingFor: string,
  action: () => Promise<T>,
): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  const holder = spawn("flock", ["--exclusive", path, "cat"], {
    stdio: ["pipe", "pipe", "inherit"],
    detached: true,
  });
  holder.stdin.on("error", () => undefined);
  const closed = once(holder, "close").catch((cause: unknown) => {
    throw new Fault("lacking", "flock (util-linux) is not installed", { cause });
  });
  const waiting = setTimeout(() => work.progress(`waiting for another process: ${waitingFor}`), 500);
  const stop = () => holder.kill("SIGKILL");
  work.signal.addEventListener("abort", stop, { once: true });
  try {
    holder.stdin.write("held\n");
    // `cat` starts, and answers, only once the lock is ours.
    const answered = await Promise.race([
      once(holder.stdout, "data").then(() => true),
      closed.then(() => false),
    ]);
    if (work.signal.aborted) throw new Fault("interrupted", "interrupted");
    if (!answered) throw new Fault("defect", `cannot lock ${path}`);
    clearTimeout(waiting);
    return await action();
  } finally {
    clearTimeout(waiting);
    work.signal.removeEventListener("abort", stop);
    holder.stdin.end();
    await closed;
  }
}
