import { expect, it } from "vitest";
import { exportsOf, findExport } from "./symvers.js";

const TEXT = [
  "0x1\tdo_exit_hook\tvmlinux\tEXPORT_SYMBOL_GPL\t",
  "0x2\texit_hook\tdrivers/net/my-net\tEXPORT_SYMBOL\tMY_NS",
  "0x3\told\tvmlinux\tEXPORT_SYMBOL",
  "0x4\tolder_ns\tOLD_NS\tlib/crc-x\tEXPORT_SYMBOL",
].join("\n");

it("finds the whole name only, with the module's name and the namespace", () => {
  expect(findExport(TEXT, "exit_hook")).toEqual({ module: "my_net", namespace: "MY_NS" });
  expect(findExport(TEXT, "do_exit_hook")).toEqual({ module: "vmlinux", namespace: "" });
  expect(findExport(TEXT, "hook")).toBeUndefined();
  expect(findExport(TEXT, "vmlinux")).toBeUndefined();
});

it("reads the columns of older kernels", () => {
  expect(findExport(TEXT, "old")).toEqual({ module: "vmlinux", namespace: "" });
  expect(findExport(TEXT, "older_ns")).toEqual({ module: "crc_x", namespace: "OLD_NS" });
});

it("knows nothing without a file, and reads none for what is no symbol", () => {
  expect(exportsOf(undefined)("exit_hook")).toBeUndefined();
  expect(exportsOf("/nowhere")("a\tb")).toBeUndefined();
});
