import { expect, it } from "vitest";
import { listed } from "./listed.js";

it("joins names as a sentence does, and counts those it leaves out", () => {
  expect(listed([])).toBe("");
  expect(listed(["a"])).toBe("a");
  expect(listed(["a", "b"])).toBe("a and b");
  // One more name is as short as saying that there is one more.
  expect(listed(["a", "b", "c", "d"])).toBe("a, b, c and d");
  expect(listed(["a", "b", "c", "d", "e"])).toBe("a, b, c and 2 more");
});
