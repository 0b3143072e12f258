import { Ajv } from "ajv";
import { expect, test } from "vitest";
import { renderReviewGitlab } from "./gitlab.js";
import { HOSTILE, sampleFinding, sampleReview, wholeFinding } from "./sample-review.js";

/** The table of https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format, all of it required. */
const isReport = new Ajv({ strict: true, allErrors: true }).compile({
  type: "array",
  items: {
    type: "object",
    required: ["description", "check_name", "fingerprint", "severity", "location"],
    properties: {
      description: { type: "string", minLength: 1 },
      check_name: { type: "string", minLength: 1 },
      fingerprint: { type: "string", minLength: 1 },
      severity: { enum: ["info", "minor", "major", "critical", "blocker"] },
      location: {
        type: "object",
        required: ["path", "lines"],
        properties: {
          path: { type: "string", pattern: "^(?!\\./|/)." },
          lines: {
            type: "object",
            required: ["begin"],
            properties: { begin: { type: "integer", minimum: 1 }, end: { type: "integer", minimum: 1 } },
          },
        },
      },
    },
  },
});

const entries = (...findings: Parameters<typeof sampleReview>) =>
  JSON.parse(renderReviewGitlab(sampleReview(...findings)));

test("a report as GitLab documents it", () => {
  const report = entries();
  isReport(report);
  expect(isReport.errors).toBeNull();
  expect(report[0]).toMatchObject({
    check_name: "static-data-changed",
    description: "unsafe: the initial value of 'limit' changes. The variable is live. Set it in a callback.",
    severity: "blocker",
    location: { path: "mm/a.c", lines: { begin: 12, end: 12 } },
  });
  expect(report[1]).toMatchObject({ severity: "major", location: { path: "mm/a.c", lines: { begin: 1 } } });
  expect(entries([])).toEqual([]);
  expect(isReport([{ ...report[0], severity: "unsafe" }])).toBe(false);
});

test("a fingerprint stays when the line moves, and is never given twice", () => {
  const [print, ...others] = entries([sampleFinding, sampleFinding, wholeFinding]).map(
    ({ fingerprint }: { fingerprint: string }) => fingerprint,
  );
  expect(entries([{ ...sampleFinding, line: 99, endLine: 99 }])[0].fingerprint).toBe(print);
  expect(new Set([print, ...others]).size).toBe(3);
});

test("what the author set aside weighs nothing and says so", () => {
  expect(entries([{ ...sampleFinding, suppressed: { reason: "never read" } }])[0]).toMatchObject({
    severity: "info",
    description: expect.stringMatching(/^unsafe, set aside by the author \(never read\): /),
  });
});

test("what a patch says stays text, and short", () => {
  const hostile = { ...sampleFinding, file: HOSTILE, message: HOSTILE.repeat(1000) };
  const text = renderReviewGitlab(sampleReview([hostile]));
  const report = JSON.parse(text);
  isReport(report);
  expect(isReport.errors).toBeNull();
  expect(text.length).toBeLessThan(20_000);
  for (const said of [report[0].description, report[0].location.path]) expect(said).toMatch(/^[^\p{C}]*$/u);
});
