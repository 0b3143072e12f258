import { readFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import { Fault } from "../host/fault.js";
import type { Work } from "../host/work.js";
import type { Arch } from "../profile/profile.js";
import { cpioArchive } from "./cpio.js";
import { baseSystem, guestScript } from "./initramfs.js";
import { bootGuest } from "./qemu.js";

/**
 * What `/proc/kallsyms` says on a running kernel whose addresses were not randomised.
 * @returns its lines, `ADDRESS TYPE NAME`, in the kernel's order; symbols of modules and of code made at run time
 *   (`[bpf]`, `[__builtin__ftrace]`) are left out
 * @throws Fault `bad-input` when the kernel does not boot or does not give its whole table, and as `bootGuest` does
 */
export async function readSymbolTable(
  work: Work,
  kernel: { readonly arch: Arch; readonly image: string; readonly busybox: string },
): Promise<string> {
  work.progress("reading the kernel's symbol table in a sandbox");
  const init = await guestScript("symbols.sh");
  const guest = await bootGuest(work, {
    ...kernel,
    initramfs: cpioArchive(baseSystem(await readFile(kernel.busybox), init)),
    accelerator: "emulation",
    kernelArguments: ["nokaslr"],
    deadline: 120,
  });
  return coreSymbols(guest.protocol, `${guest.console}\n(guest ended: ${guest.end})`);
}

function coreSymbols(packed: Buffer, console: string): string {
  const fault = (message: string) => new Fault("bad-input", message, { detail: console });
  let text: string;
  try {
    text = gunzipSync(packed).toString("latin1");
  } catch (cause) {
    throw new Fault("bad-input", "the kernel booted in the sandbox gave no symbol table", {
      cause,
      detail: console,
    });
  }
  if (!text.endsWith("\nEND\n")) throw fault("the symbol table read in the sandbox is incomplete");
  const lines = text.split("\n").filter((line) => line !== "" && line !== "END" && !line.includes("["));
  if (lines.every((line) => line.startsWith("0000000000000000"))) {
    throw fault("the kernel hides its symbols' addresses");
  }
  return `${lines.join("\n")}\n`;
}
