import { expect, test } from "vitest";
import { kernelOf } from "./debian.js";
import { parseStanzas } from "./stanzas.js";

const kernelIn = (...lines: string[]) => kernelOf(parseStanzas(lines.join("\n"))[0] ?? new Map());

test("a signed image tells the source it was built from", () => {
  const kernel = kernelIn(
    "Package: linux-image-6.1.0-56-amd64",
    "Source: linux-signed-amd64 (6.1.192+2)",
    "Version: 6.1.192-2",
    "Architecture: amd64",
    "Built-Using: linux (= 6.1.192-2)",
  );
  expect(kernel).toEqual({
    id: "debian/6.1.0-56-amd64",
    release: "6.1.0-56-amd64",
    arch: "x86_64",
    version: "6.1.192-2",
    sourcePackage: "linux-source-6.1",
    sourceVersion: "6.1.192-2",
  });
});

test("a rebuilt image keeps the version of its source", () => {
  const kernel = kernelIn(
    "Package: linux-image-6.12.117+deb12-arm64",
    "Version: 6.12.117-1~deb12u1+b1",
    "Architecture: arm64",
    "Built-Using: something (= 1), linux-6.12 (= 6.12.117-1~deb12u1)",
  );
  expect(kernel?.arch).toBe("arm64");
  expect(kernel?.sourcePackage).toBe("linux-source-6.12");
  expect(kernel?.sourceVersion).toBe("6.12.117-1~deb12u1");
});

test.each([
  ["a metapackage", "linux-image-amd64", "amd64"],
  ["debug symbols", "linux-image-6.1.0-56-amd64-dbg", "amd64"],
  ["an unsigned image", "linux-image-6.1.0-56-amd64-unsigned", "amd64"],
  ["another architecture", "linux-image-6.1.0-56-armmp", "armhf"],
])("%s is no kernel of ours", (_, name, arch) => {
  expect(kernelIn(`Package: ${name}`, "Version: 6.1.192-2", `Architecture: ${arch}`)).toBeUndefined();
});
