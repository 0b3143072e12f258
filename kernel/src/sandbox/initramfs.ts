import { readFile } from "node:fs/promises";
import type { CpioEntry } from "./cpio.js";

/** Device numbers of the guest's first console (Documentation/admin-guide/devices.txt). */
const CONSOLE = { major: 5, minor: 1 };

/**
 * What every guest has: busybox, empty mount points, a console for `/init`.
 * @param busybox the static program for the guest's architecture
 * @param init script started as process 1
 */
export function baseSystem(busybox: Uint8Array, init: Uint8Array): CpioEntry[] {
  return [
    ...["bin", "dev", "proc", "sys", "tmp"].map((path) => ({ kind: "directory" as const, path })),
    { kind: "character-device", path: "dev/console", ...CONSOLE },
    { kind: "file", path: "bin/busybox", content: busybox, executable: true },
    { kind: "file", path: "init", content: init, executable: true },
  ];
}

/** A script of ours from `kernel/runtime/guest`. */
export async function guestScript(name: string): Promise<Buffer> {
  return readFile(new URL(`../../runtime/guest/${name}`, import.meta.url));
}
