import { expect, test } from "vitest";
import { reaches, verdictOf } from "./verdict.js";

const info = { severity: "info" } as const;
const doubtful = { severity: "needs-review" } as const;
const unsafe = { severity: "unsafe" } as const;
const suppressed = { ...unsafe, suppressed: { reason: "the field is never read" } };

test.each([
  [[], "safe"],
  [[info], "safe"],
  [[info, doubtful], "needs-review"],
  [[doubtful, unsafe, info], "unsafe"],
  [[suppressed, info], "safe"],
  [[suppressed, doubtful], "needs-review"],
] as const)("%j is %s", (findings, verdict) => {
  expect(verdictOf(findings)).toBe(verdict);
});

test("--fail-on counts its own severity and heavier ones", () => {
  expect(reaches([doubtful], "unsafe")).toBe(false);
  expect(reaches([doubtful], "needs-review")).toBe(true);
  expect(reaches([unsafe], "needs-review")).toBe(true);
  expect(reaches([info], "info")).toBe(true);
  expect(reaches([], "info")).toBe(false);
  expect(reaches([suppressed], "info")).toBe(false);
});
