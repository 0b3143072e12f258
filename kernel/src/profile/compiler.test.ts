import { expect, test } from "vitest";
import { builtTheImage, crossPrefix, nearestCompiler } from "./compiler.js";

test.each([
  [["gcc", "gcc-11", "gcc-12", "gcc-14"], "gcc", 12, "gcc-12"],
  [["gcc", "gcc-11", "gcc-14"], "gcc", 12, "gcc-11"],
  [["gcc-11", "gcc-13"], "gcc", 12, "gcc-13"],
  [["gcc", "gcc-ar-12", "gcc-nm"], "gcc", 12, "gcc"],
  [["gcc-12", "aarch64-linux-gnu-gcc-12"], "aarch64-linux-gnu-gcc", 12, "aarch64-linux-gnu-gcc-12"],
  [["gcc-12"], "aarch64-linux-gnu-gcc", 12, undefined],
  [["clang", "clang-14", "clang-19", "clang-cpp-17", "gcc-17"], "clang", 17, "clang-19"],
  [["/opt/a/bin/x-gcc"], "/opt/a/bin/x-gcc", 12, "/opt/a/bin/x-gcc"],
])("of %j of the family %s, version %d is nearest to %s", (programs, prefix, major, expected) => {
  expect(nearestCompiler(new Set(programs), prefix, major)).toBe(expected);
});

test("a compiler is the same under another name, and another in another build", () => {
  const builtWith = "x86_64-linux-gnu-gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0";
  const here = (version: string) => ({ command: "gcc-12", version, builtWith });
  expect(builtTheImage(here("gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0"))).toBe(true);
  expect(builtTheImage(here("gcc-12 (Debian 12.2.0-14) 12.2.0"))).toBe(false);
});

test("CROSS_COMPILE names another toolchain, and nothing but one", () => {
  expect(crossPrefix("arm64", undefined)).toBe("aarch64-linux-gnu-");
  expect(crossPrefix("arm64", "")).toBe("aarch64-linux-gnu-");
  expect(crossPrefix("arm64", "/opt/arm/bin/aarch64-none-linux-gnu-")).toBe(
    "/opt/arm/bin/aarch64-none-linux-gnu-",
  );
  for (const bad of ["ccache aarch64-linux-gnu-", "-x", "aarch64", "../bin/a-", "$(touch x)-", "a\n-"])
    expect(() => crossPrefix("arm64", bad), bad).toThrow(/CROSS_COMPILE=.* is no prefix/s);
});
