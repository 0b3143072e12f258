import { expect, test } from "vitest";
import { builtTheImage, nearestCompiler } from "./compiler.js";

test.each([
  [["gcc", "gcc-11", "gcc-12", "gcc-14"], "", 12, "gcc-12"],
  [["gcc", "gcc-11", "gcc-14"], "", 12, "gcc-11"],
  [["gcc-11", "gcc-13"], "", 12, "gcc-13"],
  [["gcc", "gcc-ar-12", "gcc-nm"], "", 12, "gcc"],
  [["gcc-12", "aarch64-linux-gnu-gcc-12"], "aarch64-linux-gnu-", 12, "aarch64-linux-gnu-gcc-12"],
  [["gcc-12"], "aarch64-linux-gnu-", 12, undefined],
])("of %j with prefix '%s', version %d is nearest to %s", (programs, prefix, major, expected) => {
  expect(nearestCompiler(new Set(programs), prefix, major)).toBe(expected);
});

test("a compiler is the same under another name, and another in another build", () => {
  const builtWith = "x86_64-linux-gnu-gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0";
  const here = (version: string) => ({ command: "gcc-12", version, builtWith });
  expect(builtTheImage(here("gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0"))).toBe(true);
  expect(builtTheImage(here("gcc-12 (Debian 12.2.0-14) 12.2.0"))).toBe(false);
});
