import { expect, test } from "vitest";
import { parseKernelName } from "./kernel-name.js";

test("names of kernels", () => {
  expect(parseKernelName("debian/6.12.117+deb12-amd64").kind).toBe("release");
  expect(parseKernelName("debian/latest-arm64").kind).toBe("latest");
  expect(parseKernelName("tree:/a/../b/")).toEqual({ kind: "tree", id: "tree:/b", path: "/b" });
  expect(parseKernelName("tree:x").id).toBe(`tree:${process.cwd()}/x`);
});

test.each([
  "",
  "tree:",
  "debian/",
  "debian/..",
  "debian/../6-amd64",
  "debian/6.1.0-56-i386",
  "6.1.0-56-amd64",
  "latest",
])("'%s' names none", (id) => {
  expect(() => parseKernelName(id)).toThrow(/names no kernel/);
});
