import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { defaultCache, type Work } from "../host/work.js";
import type { KernelProfile } from "../profile/profile.js";
import { addProfile } from "../profile/store.js";
import { provenKvm } from "./accelerator.js";
import { bareBoot } from "./bare-boot.js";
import { cpioArchive } from "./cpio.js";
import { baseSystem } from "./initramfs.js";
import { bootGuest } from "./qemu.js";
import { readSymbolTable } from "./symbol-table.js";

const work: Work = { signal: new AbortController().signal, cache: defaultCache(), progress: () => undefined };

afterEach(() => {
  vi.unstubAllEnvs();
});

describe.each(["debian/latest-amd64", "debian/latest-arm64"])("%s", { timeout: 120_000 }, (id) => {
  let kernel: KernelProfile;
  beforeAll(async () => {
    kernel = await addProfile(work, id);
  }, 900_000);

  /** Boots a guest whose `/init` is this script, after `/proc` and `/dev` are there. */
  async function boot(script: string, limits: { deadline: number; silence?: number }, signal = work.signal) {
    const init = `#!/bin/busybox sh
busybox mount -t proc proc /proc
busybox mount -t devtmpfs dev /dev
${script}
busybox poweroff -n -f
`;
    return bootGuest(
      { ...work, signal },
      {
        ...kernel,
        ...limits,
        accelerator: "emulation",
        initramfs: cpioArchive(baseSystem(await readFile(kernel.busybox), Buffer.from(init))),
      },
    );
  }

  test("boots to a shell and powers off", async () => {
    const guest = await bareBoot(work, kernel, "emulation");
    expect(guest).toMatchObject({ booted: true, end: "exited" });
  });

  test("gives its whole symbol table, the same each time", async () => {
    const table = await readSymbolTable(work, kernel);
    const lines = table.trimEnd().split("\n");
    expect(lines.length).toBeGreaterThan(30_000);
    for (const line of lines) expect(line).toMatch(/^[0-9a-f]{16} [A-Za-z] \S+$/);
    for (const name of ["_stext", "_etext", "do_exit", "cmdline_proc_show"]) {
      expect(lines.filter((line) => line.endsWith(` ${name}`))).toHaveLength(1);
    }
    expect(await readSymbolTable(work, kernel)).toBe(table);
  });

  test("what programs write and what the kernel prints do not mix", async () => {
    const script = `echo 8 > /proc/sys/kernel/printk
for i in 1 2 3 4 5 6 7 8 9; do
  echo "<6>kernel $i" > /dev/kmsg
  echo "program $i" > /dev/$protocol
done`;
    const guest = await boot(script, { deadline: 60 });
    const numbers = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    expect(guest.protocol.toString().trim().split(/\r?\n/)).toEqual(numbers.map((i) => `program ${i}`));
    expect(guest.console.match(/kernel \d$/gm)).toEqual(numbers.map((i) => `kernel ${i}`));
    expect(guest.console).not.toContain("program");
  });

  test("a guest that goes on for ever is stopped at its deadline", async () => {
    const script = "while :; do echo tick > /dev/$protocol; busybox sleep 1; done";
    const guest = await boot(script, { deadline: 8, silence: 7 });
    expect(guest.end).toBe("deadline");
    expect(guest.protocol.toString()).toContain("tick");
    expect(guest.seconds).toBeLessThan(15);
  });

  test("a guest that falls silent is stopped before its deadline", async () => {
    const guest = await boot("echo last words > /dev/console; busybox sleep 1000", {
      deadline: 100,
      silence: 8,
    });
    expect(guest.end).toBe("silence");
    expect(guest.console).toContain("last words");
    expect(guest.seconds).toBeLessThan(60);
  });

  test("an interrupted boot leaves no process and no file", async () => {
    // Other tests boot guests at the same time: this one gets a folder for its scratch that nobody else uses.
    const scratch = await mkdtemp(join(tmpdir(), "interrupted-boot-"));
    vi.stubEnv("TMPDIR", scratch);
    const stop = new AbortController();
    const booting = boot("busybox sleep 1000", { deadline: 100 }, stop.signal);
    setTimeout(() => stop.abort(), 1500);
    await expect(booting).rejects.toThrow(expect.objectContaining({ code: "interrupted" }));
    expect(await readdir(scratch)).toEqual([]);
    expect(await commandsNaming(scratch)).toEqual([]);
    await rm(scratch, { recursive: true });
  });

  test("what is no kernel is bad input", async () => {
    const wrong = { ...kernel, image: kernel.busybox };
    await expect(bareBoot(work, wrong, "emulation")).rejects.toThrow(
      expect.objectContaining({ code: "bad-input" }),
    );
  });
});

/** Command lines of processes that name a folder. */
async function commandsNaming(folder: string): Promise<string[]> {
  const processes = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const commands = await Promise.all(
    processes.map((pid) => readFile(join("/proc", pid, "cmdline"), "utf8").catch(() => "")),
  );
  return commands.filter((command) => command.includes(folder));
}

test("KVM is tried once, quickly, and the answer kept", { timeout: 60_000 }, async () => {
  const kernel = await addProfile(work, "debian/latest-amd64");
  const cache = await mkdtemp(join(tmpdir(), "sandbox-kvm-"));
  try {
    const steps: string[] = [];
    const fresh: Work = { ...work, cache, progress: (step) => steps.push(step) };
    const start = performance.now();
    const works = await provenKvm(fresh, kernel);
    expect(performance.now() - start).toBeLessThan(20_000);
    const tries = steps.length;
    expect(await provenKvm(fresh, kernel)).toBe(works);
    expect(steps).toHaveLength(tries);
  } finally {
    await rm(cache, { recursive: true });
  }
});
