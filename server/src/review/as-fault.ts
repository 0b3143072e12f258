import { Fault } from "@kernel-hotpatch/kernel/host/fault";

/** System errors that the machine, not we, must answer for. */
const MACHINE_LACKS: Readonly<Record<string, { message: string; remedy: string }>> = {
  ENOSPC: {
    message: "no space left on the disk",
    remedy: "free some space, or point XDG_CACHE_HOME elsewhere",
  },
  EDQUOT: {
    message: "the disk quota is used up",
    remedy: "free some space, or point XDG_CACHE_HOME elsewhere",
  },
  EROFS: { message: "the file system is read-only", remedy: "point XDG_CACHE_HOME or -o elsewhere" },
  EACCES: { message: "permission denied", remedy: "check who owns it" },
  EMFILE: { message: "too many open files", remedy: "raise the limit with 'ulimit -n'" },
  ENOMEM: { message: "out of memory", remedy: "close other programs" },
};

/** Anything thrown, as a Fault when a person can act on it, else as it is. */
export function asFault(error: unknown): unknown {
  if (error instanceof Fault || !(error instanceof Error) || !("code" in error)) return error;
  const lack = typeof error.code === "string" ? MACHINE_LACKS[error.code] : undefined;
  if (!lack) return error;
  const where = "path" in error && typeof error.path === "string" ? `: ${error.path}` : "";
  return new Fault("lacking", `${lack.message}${where}`, { remedy: lack.remedy, cause: error });
}
