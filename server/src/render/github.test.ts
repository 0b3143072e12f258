import { expect, test } from "vitest";
import { renderReviewGithub } from "./github.js";
import { HOSTILE, sampleFinding, sampleReview, wholeFinding } from "./sample-review.js";

/** What the runner reads in a line (actions/runner, src/Runner.Common/ActionCommand.cs, TryParseV2). */
function parsed(line: string) {
  const [, info = "", data = ""] = /^\s*::(.*?)::(.*)$/s.exec(line) ?? [];
  const [name, ...rest] = info.split(" ");
  const properties = rest
    .join(" ")
    .split(",")
    .map((pair) => pair.split("="))
    .map(([key = "", ...value]) => [key, value.join("=")]);
  const plain = (text: string) =>
    text
      .replaceAll("%0D", "\r")
      .replaceAll("%0A", "\n")
      .replaceAll("%3A", ":")
      .replaceAll("%2C", ",")
      .replaceAll("%25", "%");
  return {
    name,
    ...Object.fromEntries(properties.map(([key, value = ""]) => [key, plain(value)])),
    data: plain(data),
  };
}

const commands = (...findings: Parameters<typeof sampleReview>) =>
  renderReviewGithub(sampleReview(...findings))
    .trimEnd()
    .split("\n")
    .map(parsed);

test("a finding becomes an annotation at its place, what is about the whole patch one without, the verdict comes last", () => {
  expect(commands()).toEqual([
    {
      name: "error",
      file: "mm/a.c",
      line: "12",
      endLine: "12",
      col: "20",
      endColumn: "21",
      title: "unsafe: static-data-changed",
      data: "the initial value of 'limit' changes\nThe variable is live.\nSet it in a callback.",
    },
    { name: "warning", title: "needs-review: not-run", data: "nothing was run\nNobody knows.\nRun it." },
    {
      name: "notice",
      title: "hot patch review for debian/6.1.0-56-amd64",
      data: "verdict: unsafe (1 unsafe, 1 needs-review)",
    },
  ]);
});

test("columns are left out where they are on several lines, and nothing is made up where a place is not known", () => {
  const [several, unknown] = commands([
    { ...sampleFinding, endLine: 14 },
    { ...sampleFinding, line: null, column: null, endLine: null, endColumn: null },
  ]);
  expect(several).toMatchObject({ line: "12", endLine: "14" });
  for (const key of ["col", "endColumn"]) expect(several).not.toHaveProperty(key);
  expect(unknown).toMatchObject({ file: "mm/a.c" });
  for (const key of ["line", "endLine", "col"]) expect(unknown).not.toHaveProperty(key);
});

test("what the author set aside is a notice that says so", () => {
  expect(commands([{ ...sampleFinding, suppressed: { reason: "never read" } }])[0]).toMatchObject({
    name: "notice",
    title: "unsafe: static-data-changed, set aside by the author",
    data: expect.stringContaining("set aside by the author: never read"),
  });
});

test("nothing from a patch becomes a command, a property or a control character", () => {
  const hostile = {
    ...sampleFinding,
    file: `a,line=9::${HOSTILE}`,
    message: HOSTILE,
    suppressed: { reason: HOSTILE },
  };
  const text = renderReviewGithub({
    ...sampleReview([hostile]),
    kernel: { ...sampleReview().kernel, id: HOSTILE },
  });
  const lines = text.trimEnd().split("\n");
  expect(lines).toHaveLength(2);
  for (const line of lines) expect(line).toMatch(/^::notice [^\p{C}]*$/u);
  expect(parsed(lines[0] ?? "")).toMatchObject({ line: "12", file: expect.stringMatching(/^a,line=9::/) });
});

test("what is long is cut", () => {
  const text = renderReviewGithub(sampleReview([{ ...wholeFinding, message: "x".repeat(1_000_000) }]));
  expect(text.length).toBeLessThan(5_000);
});
