import { expect, test } from "vitest";
import { findingOf } from "./finding-of.js";

test("an observation becomes a finding with the rule's words", () => {
  const finding = findingOf(
    {
      rule: "static-data-changed",
      message: "'limit' starts as 2 instead of 1",
      symbol: "limit",
      file: "a.c",
      line: 3,
    },
    "object",
  );
  expect(finding).toMatchObject({
    rule: "static-data-changed",
    severity: "unsafe",
    witness: "object",
    file: "a.c",
    line: 3,
    column: null,
    endLine: 3,
    endColumn: null,
    symbol: "limit",
    message: "'limit' starts as 2 instead of 1",
    related: [],
  });
  expect(finding.why).not.toBe("");
  expect(finding.remedy).not.toBe("");
});

test("the witness's own severity goes first", () => {
  expect(findingOf({ rule: "jump-label", message: "m", severity: "needs-review" }, "object").severity).toBe(
    "needs-review",
  );
});

test("what the build notices in the patch's text is the source witness's", () => {
  expect(findingOf({ rule: "header-fan-out", message: "m" }, "object").witness).toBe("source");
});

test("an unknown rule is a defect, never dropped", () => {
  expect(() => findingOf({ rule: "no-such-rule", message: "m" }, "object")).toThrow(
    expect.objectContaining({ code: "defect" }),
  );
});
