import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { unitBuilds } from "./kbuild.js";
import { openTree } from "./open-tree.js";
import { smallTree } from "./small-tree.js";
import type { UnitBuild } from "./tree-facts.js";

const FILES = {
  Makefile: "VERSION = 6\nPATCHLEVEL = 1\nlibs-y := lib/\n",
  "arch/x86/Kbuild": "obj-y += kernel/\nobj-$(CONFIG_KVM) += kvm/\n",
  "arch/x86/kernel/Makefile": "obj-y := process.o\nCFLAGS_REMOVE_process.o = -pg\n",
  "arch/x86/kvm/Makefile": "kvm-y += mmu/mmu.o x86.o ../../../virt/kvm_main.o\nobj-$(CONFIG_KVM) += kvm.o\n",
  "lib/Makefile":
    "ccflags-remove-$(CONFIG_FUNCTION_TRACER) += $(CC_FLAGS_FTRACE)\nlib-y := string.o\nobj-y += bitmap.o\n",
  "kernel/Makefile": [
    "obj-y = exit.o fork.o",
    "obj-$(CONFIG_KEXEC) += kexec.o",
    "obj-y += trace/ off/",
    "obj-$(CONFIG_OFF) += off/",
    "obj-$(call odd) += odd.o",
    "hostprogs := gen.o",
  ].join("\n"),
  "kernel/trace/Makefile": [
    "ifdef CONFIG_FUNCTION_TRACER",
    "ORIG_CFLAGS := $(KBUILD_CFLAGS)",
    "KBUILD_CFLAGS = $(subst $(CC_FLAGS_FTRACE),,$(ORIG_CFLAGS))",
    "CFLAGS_selftest.o = $(CC_FLAGS_FTRACE)",
    "endif",
    "obj-y += ring.o selftest.o",
  ].join("\n"),
  "drivers/Makefile": "obj-$(CONFIG_NET) += net/my-net/\nobj-$(CONFIG_USB) += usb/\n",
  "drivers/net/my-net/Makefile": [
    "obj-$(CONFIG_MY_NET) += my-net.o",
    "my-net-objs := main.o \\",
    "  ring.o",
    "my-net-$(CONFIG_MY_DEBUG) += debug.o",
    "obj-n += never.o",
  ].join("\n"),
  "drivers/usb/Makefile": "obj-y += core.o\n",
};
const CONFIG = "CONFIG_X86_64=y\nCONFIG_KVM=m\nCONFIG_NET=y\nCONFIG_MY_NET=m\nCONFIG_FUNCTION_TRACER=y\n";

const roots: string[] = [];
let build: (path: string) => UnitBuild;
let buildWithoutConfig: (path: string) => UnitBuild;
beforeAll(async () => {
  for (const files of [{ ...FILES, ".config": CONFIG }, FILES]) roots.push(await smallTree(files));
  const [first, second] = await Promise.all(roots.map((root) => openTree(root, { arch: "x86_64" })));
  if (first && second) [build, buildWithoutConfig] = [unitBuilds(first), unitBuilds(second)];
});
afterAll(async () => {
  for (const root of roots) await rm(root, { recursive: true });
});

describe("with a configuration", () => {
  it.each<[string, UnitBuild]>([
    [
      "arch/x86/kernel/process.c",
      { into: "vmlinux", untraced: "CFLAGS_REMOVE_process.o in arch/x86/kernel/Makefile" },
    ],
    ["arch/x86/kvm/x86.c", { into: "module", module: "kvm", option: "CONFIG_KVM" }],
    ["arch/x86/kvm/mmu/mmu.c", { into: "module", module: "kvm", option: "CONFIG_KVM" }],
    ["arch/arm64/kernel/process.c", { into: "nothing" }],
    ["tools/perf/perf.c", { into: "nothing" }],
    ["lib/string.c", { into: "library", untraced: "ccflags-remove-y in lib/Makefile" }],
    ["lib/bitmap.c", { into: "vmlinux", untraced: "ccflags-remove-y in lib/Makefile" }],
    ["kernel/exit.c", { into: "vmlinux" }],
    ["kernel/trace/ring.c", { into: "vmlinux", untraced: "KBUILD_CFLAGS in kernel/trace/Makefile" }],
    ["kernel/trace/selftest.c", { into: "vmlinux" }],
    ["drivers/net/my-net/ring.c", { into: "module", module: "my_net", option: "CONFIG_MY_NET" }],
    ["drivers/net/my-net/debug.c", { into: "nothing", option: "CONFIG_MY_DEBUG" }],
    ["drivers/net/my-net/unheard-of.c", { into: "nothing" }],
    ["drivers/usb/core.c", { into: "nothing", option: "CONFIG_USB" }],
  ])("%s", (path, expected) => {
    expect(build(path)).toEqual(expected);
  });

  it.each([
    // An unknown list may hold them.
    "kernel/odd.c",
    "kernel/kexec.c",
    "kernel/gen.c",
    // No makefile speaks of the folder.
    "stray/file.c",
    // Listed by a makefile elsewhere.
    "virt/kvm_main.c",
  ])("%s is unknown", (path) => {
    expect(build(path).into).toBe("unknown");
  });
});

it("without a configuration only what is always built is known, and the option that decides is named", () => {
  expect(buildWithoutConfig("kernel/exit.c")).toEqual({ into: "vmlinux" });
  expect(buildWithoutConfig("drivers/net/my-net/main.c")).toEqual({
    into: "unknown",
    option: "CONFIG_MY_NET",
  });
});
