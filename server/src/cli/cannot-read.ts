import { Fault } from "@kernel-hotpatch/kernel/host/fault";

/** The Fault for a file that was named on the command line and cannot be read. */
export function cannotRead(path: string, cause: NodeJS.ErrnoException): Fault {
  const reason = cause.code === "ENOENT" ? "no such file" : cause.message;
  return new Fault("bad-input", `cannot read ${path}: ${reason}`, { cause });
}
