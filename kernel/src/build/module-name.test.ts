import { expect, test } from "vitest";
import { moduleName } from "./module-name.js";

test.each([
  ["/home/me/0001-ext4-fix-NULL.patch", "hotpatch_0001_ext4_fix_NULL"],
  ["-", "hotpatch_patch"],
  ["../ä ö.diff", "hotpatch_patch"],
  [`${"long".repeat(30)}.patch`, `hotpatch_${"long".repeat(11)}lo`],
])("made of the patch's name: %s", (patch, expected) => {
  expect(moduleName(undefined, patch)).toBe(expected);
  expect(expected.length).toBeLessThanOrEqual(55);
});

test("a wanted name is taken as it is or refused", () => {
  expect(moduleName("my_fix", "x.patch")).toBe("my_fix");
  for (const name of ["", "../x", "a-b", "1a", "x".repeat(56), "a\nb"])
    expect(() => moduleName(name, "x.patch")).toThrow(/cannot be the name/);
});
