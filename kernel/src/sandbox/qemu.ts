import { fstatSync, readSync } from "node:fs";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { runConfined } from "../host/confined.js";
import { Fault } from "../host/fault.js";
import type { Work } from "../host/work.js";
import type { Arch } from "../profile/profile.js";
import { bootableForm } from "./kernel-image.js";

export type Accelerator = "kvm" | "emulation";

/** A machine to boot. */
export interface Guest {
  readonly arch: Arch;
  /** The kernel as packaged: bzImage, vmlinux or arm64 Image. */
  readonly image: string;
  /** A cpio archive whose `/init` is started with the variable `protocol` (see {@link protocolPort}). */
  readonly initramfs: Uint8Array;
  readonly accelerator: Accelerator;
  /** After ours on the kernel's command line. */
  readonly kernelArguments?: readonly string[];
  /** MiB; 512 when absent. */
  readonly memory?: number;
  /** 1 when absent: a livepatch transition then finishes at once, for no other task is ever running. */
  readonly cpus?: number;
  /** Seconds of wall time the guest may run. */
  readonly deadline: number;
  /** Seconds it may print nothing at all; as long as the deadline when absent. */
  readonly silence?: number;
  /** Called with the bytes of the protocol channel as they come. */
  readonly onProtocol?: (chunk: Buffer) => void;
}

/** What became of a guest. */
export interface GuestEnd {
  /** `exited`: it powered off, reset or panicked (a panic resets); the others: we stopped it, and why. */
  readonly end: "exited" | "deadline" | "silence" | "flood";
  /** What the kernel printed on its console. */
  readonly console: string;
  /** What the guest's programs wrote to the protocol channel. */
  readonly protocol: Buffer;
  /** Wall time. */
  readonly seconds: number;
}

interface Machine {
  readonly binary: string;
  readonly machine: Readonly<Record<Accelerator, string>>;
  readonly cpu: Readonly<Record<Accelerator, string>>;
  /** The kernel's own console: first serial port. */
  readonly console: string;
  /** A second serial port, so that no line of the kernel's can tear one of ours. Stock kernels have its driver built in. */
  readonly protocol: { readonly tty: string; readonly device: string };
}

const MACHINES: Readonly<Record<Arch, Machine>> = {
  x86_64: {
    binary: "qemu-system-x86_64",
    machine: { kvm: "pc", emulation: "pc" },
    cpu: { kvm: "host", emulation: "qemu64" },
    console: "ttyS0",
    protocol: { tty: "ttyS1", device: "isa-serial" },
  },
  arm64: {
    binary: "qemu-system-aarch64",
    machine: { kvm: "virt,gic-version=host", emulation: "virt" },
    cpu: { kvm: "host", emulation: "cortex-a57" },
    console: "ttyAMA0",
    protocol: { tty: "ttyS0", device: "pci-serial" },
  },
};

const POLL_MILLISECONDS = 50;
const CONSOLE_LIMIT = 1024 * 1024;
const PROTOCOL_LIMIT = 64 * 1024 * 1024;

/** The QEMU program for guests of that architecture. */
export function qemuBinary(arch: Arch): string {
  return MACHINES[arch].binary;
}

/**
 * Boots a kernel and waits until the guest ends or is stopped. The guest has no network and no disk; QEMU itself runs
 * under its seccomp filter and dies with us.
 * Results come on a serial port of their own: the guest finds its name in the variable `protocol` (the kernel hands
 * unknown `name=value` arguments to init as environment, Documentation/admin-guide/kernel-parameters.rst).
 * @throws Fault `lacking` without QEMU, `bad-input` when QEMU cannot use the image, `interrupted`
 */
export async function bootGuest(work: Work, guest: Guest): Promise<GuestEnd> {
  const image = await bootableForm(work, guest.arch, guest.image);
  const folder = await mkdtemp(join(tmpdir(), "kernel-hotpatch-"));
  try {
    const files = {
      image,
      initramfs: join(folder, "initramfs"),
      console: join(folder, "console"),
      protocol: join(folder, "protocol"),
    };
    await writeFile(files.initramfs, guest.initramfs);
    return await watchGuest(work, guest, files);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Paths of what QEMU reads, and of the two serial ports' output. */
interface GuestFiles {
  readonly image: string;
  readonly initramfs: string;
  readonly console: string;
  readonly protocol: string;
}

async function watchGuest(work: Work, guest: Guest, files: GuestFiles): Promise<GuestEnd> {
  const stop = new AbortController();
  let stopped: GuestEnd["end"] | undefined;
  const stopFor = (reason: GuestEnd["end"]) => {
    stopped ??= reason;
    stop.abort();
  };
  const deadline = setTimeout(() => stopFor("deadline"), guest.deadline * 1000);
  const silence = setTimeout(() => stopFor("silence"), (guest.silence ?? guest.deadline) * 1000);
  const heard = (port: SerialOutput, limit: number): Buffer => {
    const chunk = port.read();
    if (chunk.length > 0) silence.refresh();
    if (port.size() >= limit) stopFor("flood");
    return chunk;
  };
  const console = await serialOutput(files.console);
  const protocol = await serialOutput(files.protocol);
  const listen = () => {
    heard(console, CONSOLE_LIMIT);
    const chunk = heard(protocol, PROTOCOL_LIMIT);
    if (chunk.length > 0) guest.onProtocol?.(chunk);
  };
  const poll = setInterval(listen, POLL_MILLISECONDS);

  const start = performance.now();
  try {
    const signal = AbortSignal.any([work.signal, stop.signal]);
    const command = qemuCommand(MACHINES[guest.arch], guest, files);
    const confinement = {
      readable: [files.image],
      writable: dirname(files.console),
      devices: guest.accelerator === "kvm" ? ["/dev/kvm"] : [],
      memory: 4096 + memoryOf(guest),
    };
    // Our own deadline comes first: it tells what the guest did until then.
    const result = await runConfined({ ...work, signal }, command, confinement, {
      deadline: guest.deadline + 60,
    });
    if (result.status !== 0) throw qemuFailure(guest, result.stderr);
  } catch (error) {
    if (stopped === undefined || work.signal.aborted) throw error;
  } finally {
    for (const timer of [deadline, silence, poll]) clearTimeout(timer);
    listen();
    await Promise.all([console.close(), protocol.close()]);
  }
  return {
    end: stopped ?? "exited",
    console: console.bytes().toString("latin1").replaceAll("\r\n", "\n"),
    protocol: protocol.bytes(),
    seconds: (performance.now() - start) / 1000,
  };
}

/** What a serial port has sent into its file. */
interface SerialOutput {
  /** What came since the last call. */
  read(): Buffer;
  /** Bytes read so far. */
  size(): number;
  bytes(): Buffer;
  close(): Promise<void>;
}

async function serialOutput(path: string): Promise<SerialOutput> {
  const file = await open(path, "w+");
  const chunks: Buffer[] = [];
  let size = 0;
  return {
    read() {
      const chunk = Buffer.alloc(Math.max(0, fstatSync(file.fd).size - size));
      const piece = chunk.subarray(0, readSync(file.fd, chunk, 0, chunk.length, size));
      chunks.push(piece);
      size += piece.length;
      return piece;
    },
    size: () => size,
    bytes: () => Buffer.concat(chunks),
    close: () => file.close(),
  };
}

function qemuCommand(machine: Machine, guest: Guest, files: GuestFiles): [string, ...string[]] {
  const append = [
    `console=${machine.console}`,
    `protocol=${machine.protocol.tty}`,
    // A panic resets the machine, and with -no-reboot a reset ends QEMU.
    "panic=-1",
    // Warnings and worse; the slow console is spared the rest.
    "loglevel=5",
    // A fifth of an emulated boot goes into the ciphers' self-tests.
    "cryptomgr.notests",
    ...(guest.kernelArguments ?? []),
  ];
  return [
    machine.binary,
    ...["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"],
    ...["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
    ...["-machine", machine.machine[guest.accelerator]],
    ...["-accel", guest.accelerator === "kvm" ? "kvm" : "tcg"],
    ...["-cpu", machine.cpu[guest.accelerator]],
    ...["-smp", String(guest.cpus ?? 1)],
    ...["-m", `${memoryOf(guest)}M`],
    // Files: the devices hand on single bytes, which would wake the reader of a pipe each, and are lost when it is full.
    ...["-serial", `file:${files.console}`],
    ...["-chardev", `file,id=protocol,path=${files.protocol}`],
    ...["-device", `${machine.protocol.device},chardev=protocol`],
    ...["-kernel", files.image],
    ...["-initrd", files.initramfs],
    ...["-append", append.join(" ")],
  ];
}

/** MiB of the guest's memory. */
function memoryOf({ memory = 512 }: Guest): number {
  return memory;
}

function qemuFailure(guest: Guest, stderr: string): Fault {
  const words = stderr.trim().split("\n").at(-1) ?? "";
  return new Fault("bad-input", `QEMU cannot boot ${guest.image}: ${words}`, { detail: stderr });
}
