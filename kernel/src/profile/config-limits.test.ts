import { expect, test } from "vitest";
import { parseConfig } from "./config.js";
import { limitRemarks, refuseLimits } from "./config-limits.js";

test("every option that stands in the way is named, with its reason", () => {
  const config = parseConfig("CONFIG_KCSAN=y\nCONFIG_KCSAN_STRICT=y\nCONFIG_LTO_CLANG_THIN=y\nCONFIG_X=y\n");
  expect(() => refuseLimits(config, "6.1.0")).toThrow(
    /6\.1\.0 cannot be hot patched.*CONFIG_LTO_CLANG_THIN: functions .*; CONFIG_KCSAN: the compiler/,
  );
});

test("what an option's name only resembles is no limit", () => {
  const stock =
    "CONFIG_KASAN=y\nCONFIG_HAVE_ARCH_KCSAN=y\nCONFIG_LTO_NONE=y\nCONFIG_RANDSTRUCT_NONE=y\n" +
    "CONFIG_ARCH_SUPPORTS_LTO_CLANG=y\nCONFIG_DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT=y\nCONFIG_UBSAN_TRAP=m\n";
  expect(() => refuseLimits(parseConfig(stock), "6.1.0")).not.toThrow();
  expect(limitRemarks(parseConfig(stock))).toEqual([]);
});

test("what cannot be seen is said", () => {
  expect(limitRemarks(parseConfig("CONFIG_DEBUG_INFO_REDUCED=y\n"))).toMatchObject([
    { rule: "config-limit", message: expect.stringContaining("CONFIG_DEBUG_INFO_REDUCED") },
  ]);
});
