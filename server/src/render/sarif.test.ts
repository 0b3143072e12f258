import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import type { Log } from "sarif";
import { expect, test } from "vitest";
import type { Finding } from "../review/finding.js";
import { sampleFinding, sampleReview } from "./sample-review.js";
import { renderReviewSarif } from "./sarif.js";

const finding: Finding = {
  ...sampleFinding,
  file: "mm/page alloc.c",
  column: 12,
  endColumn: 17,
  related: [
    { file: "mm/b.c", line: 3, column: null, endLine: null, endColumn: null, message: "read here" },
    { file: null, line: null, column: null, endLine: null, endColumn: null, message: "and elsewhere" },
  ],
  fixes: [
    {
      title: "Set it in a callback",
      edits: [
        { file: "mm/a.c", line: 12, column: 20, endLine: 12, endColumn: 21, text: "1" },
        {
          file: "mm/b.c",
          line: 1,
          column: 1,
          endLine: 1,
          endColumn: 1,
          text: "#include <linux/livepatch.h>\n",
        },
        { file: "mm/a.c", line: 40, column: 1, endLine: 40, endColumn: 1, text: "x\n" },
      ],
    },
  ],
};

const whole: Finding = {
  ...finding,
  rule: "not-run",
  severity: "needs-review",
  witness: "sandbox",
  file: null,
  line: null,
  column: null,
  endLine: null,
  endColumn: null,
  message: "nothing was run",
  related: [],
  fixes: [],
};

function logOf(...findings: Finding[]): Log {
  return JSON.parse(renderReviewSarif(sampleReview(findings)));
}

function resultsOf(...findings: Finding[]) {
  return logOf(...findings).runs[0]?.results ?? [];
}

/** OASIS' own, written for draft 4; that differs from what Ajv reads in nothing that it uses but its name. */
const {
  $schema: _draft,
  id: _id,
  ...official
} = JSON.parse(readFileSync(new URL("../../../test/schema/sarif-2.1.0-rtm.5.json", import.meta.url), "utf8"));
const isSarif = new Ajv({ strict: false, validateFormats: false, unicodeRegExp: false }).compile(official);

test.each<[string, Finding[]]>([
  ["nothing found", []],
  ["everything a finding can hold", [finding, whole, { ...finding, suppressed: { reason: "never read" } }]],
])("valid against the official schema: %s", (_, findings) => {
  const log = logOf(...findings);
  isSarif(log);
  expect(isSarif.errors).toBeNull();
  expect(isSarif({ ...log, version: "2.0.0" })).toBe(false);
});

test("a result says what a finding says", () => {
  const [result, second] = resultsOf({ ...finding, suppressed: { reason: "never read" } }, whole);
  expect(result).toMatchObject({
    ruleId: "static-data-changed",
    level: "error",
    message: { text: "The initial value of 'limit' changes." },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: "mm/page%20alloc.c", uriBaseId: "%SRCROOT%" },
          region: { startLine: 12, startColumn: 12, endLine: 12, endColumn: 17 },
        },
        logicalLocations: [{ name: "limit" }],
      },
    ],
    relatedLocations: [{ message: { text: "read here" } }, { message: { text: "and elsewhere" } }],
    suppressions: [{ kind: "inSource", justification: "never read" }],
    fixes: [{ artifactChanges: [{ replacements: [{}, {}] }, { replacements: [{}] }] }],
    properties: { witness: "source" },
  });
  expect(second).toMatchObject({ level: "warning", suppressions: [] });
  expect(second?.locations).toEqual([{ logicalLocations: [{ name: "limit" }] }]);
});

test("rules are told once, with their words", () => {
  const rules = logOf(finding, whole, finding).runs[0]?.tool.driver.rules;
  expect(rules?.map(({ id }) => id)).toEqual(["not-run", "static-data-changed"]);
  expect(rules?.[1]).toMatchObject({
    defaultConfiguration: { level: "error" },
    help: { markdown: expect.stringContaining("What to do") },
  });
});

const printsOf = (...findings: Finding[]) =>
  resultsOf(...findings).map(({ partialFingerprints }) => partialFingerprints?.["hotpatchFinding/v1"]);

test("a fingerprint stays when code moves or is indented anew, and only then", () => {
  const [print] = printsOf(finding);
  expect(print).toMatch(/^[0-9a-f]{32}$/);
  const moved = { ...finding, line: 99, endLine: 99, excerpt: { text: "\tstatic int  limit = 2;" } };
  expect(printsOf(moved)).toEqual([print]);
  for (const other of [
    { rule: "jump-label" },
    { file: "b.c" },
    { symbol: "x" },
    { excerpt: { text: "int y;" } },
  ])
    expect(printsOf({ ...finding, ...other })).not.toEqual([print]);
  const { excerpt: _, ...bare } = finding;
  expect(printsOf({ ...bare, message: "3 callers" })).toEqual(printsOf({ ...bare, message: "4 callers" }));
  expect(printsOf({ ...bare, message: "a caller" })).not.toEqual(printsOf({ ...bare, message: "a user" }));
});

test("equal findings are told apart by their order", () => {
  const [first, second] = printsOf(finding, { ...finding, line: 50 });
  expect(first).not.toBe(second);
});
