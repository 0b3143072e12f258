import { expect, test } from "vitest";
import { neighbours } from "./pair.js";

const kernels = (...versions: string[]) => versions.map((sourceVersion) => ({ sourceVersion }));

test("the newest releases are left out, and a release's own revisions count as one", () => {
  const found = neighbours(kernels("6.1.9-2", "6.1.9-1", "6.1.7-1", "6.1.5-2", "6.1.5-1", "6.1.2-1"));
  expect(found).toEqual({ newer: { sourceVersion: "6.1.7-1" }, older: { sourceVersion: "6.1.5-2" } });
});

test("two releases are too few", () => {
  expect(neighbours(kernels("6.1.9-2", "6.1.9-1", "6.1.7-1"))).toBeUndefined();
});
