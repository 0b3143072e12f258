import { expect, test } from "vitest";
import { parseConfig } from "../profile/config.js";
import { chooseBackend } from "./backend.js";

const config = (...options: string[]) =>
  parseConfig(options.map((option) => `CONFIG_${option}=y\n`).join(""));
const COMMON = ["MODULES", "KALLSYMS", "KPROBES"];

test("livepatch is used wherever the kernel has it", () => {
  const both = config("LIVEPATCH", "DYNAMIC_FTRACE_WITH_ARGS", ...COMMON);
  for (const arch of ["x86_64", "arm64"] as const)
    expect(chooseBackend(arch, both)).toMatchObject({ backend: "livepatch" });
});

test.each(["DYNAMIC_FTRACE_WITH_REGS", "DYNAMIC_FTRACE_WITH_ARGS"])(
  "arm64 with %s has a core of ours",
  (way) => {
    expect(chooseBackend("arm64", config(way, ...COMMON))).toMatchObject({
      backend: "ftrace",
      why: expect.stringContaining(way),
    });
  },
);

test("what is missing is named", () => {
  const lacks = (arch: "x86_64" | "arm64", ...options: string[]) =>
    (chooseBackend(arch, config(...options)) as { lacks?: string }).lacks;
  expect(lacks("x86_64", "DYNAMIC_FTRACE_WITH_REGS", ...COMMON)).toContain("LIVEPATCH");
  expect(lacks("arm64", "MODULES", "KALLSYMS", "DYNAMIC_FTRACE_WITH_REGS")).toContain("KPROBES");
  expect(lacks("arm64", ...COMMON)).toContain("DYNAMIC_FTRACE_WITH_ARGS");
  expect(lacks("arm64", ...COMMON, "DYNAMIC_FTRACE_WITH_ARGS", "ARM64_BTI_KERNEL")).toContain("BTI");
});
