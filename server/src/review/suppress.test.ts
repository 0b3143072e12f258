import { expect, test } from "vitest";
import type { Finding } from "./finding.js";
import { findingOf } from "./finding-of.js";
import { suppress } from "./suppress.js";

function at(line: number, rule = "static-data-changed"): Finding {
  return findingOf({ rule, message: "m", file: "a.c", line }, "source");
}

/** Reasons by line of the findings that were set aside, and the complaints. */
function outcome(text: string, findings: readonly Finding[], description = "") {
  const all = suppress(findings, { paths: ["a.c"], textOf: () => text, description });
  const first = all.slice(0, findings.length);
  return {
    reasons: first.flatMap(({ line, suppressed }) => (suppressed ? [`${line}: ${suppressed.reason}`] : [])),
    complaints: all.slice(findings.length).map(({ rule, line, severity }) => `${severity} ${rule} ${line}`),
  };
}

const none: string[] = [];

test("on the same line, and on the line before", () => {
  const text =
    "int a = 1; /* hotpatch-ignore: static-data-changed read at boot only */\nint b;\n\t// hotpatch-ignore: static-data-changed never read\n\tint c;\n\tint d;\n";
  expect(outcome(text, [at(1), at(2), at(4), at(5)])).toEqual({
    reasons: ["1: read at boot only", "4: never read"],
    complaints: none,
  });
});

test("in the comment before the item, and only for that item", () => {
  const text = `/*
 * What it does.
 * hotpatch-ignore: long-sleeper the callers have a deadline
 */
static int
f(void)
{
	wait();
}

static int g(void)
{
	wait();
}
`;
  const sleepers = [6, 8, 13].map((line) => at(line, "does-not-unload"));
  expect(outcome(text.replace("long-sleeper", "does-not-unload"), sleepers)).toEqual({
    reasons: ["6: the callers have a deadline", "8: the callers have a deadline"],
    complaints: none,
  });
});

test("in the description, for the whole patch", () => {
  const description =
    "Subject: x\n\n hotpatch-ignore: static-data-changed set by a callback\nsee hotpatch-ignore: jump-label\n";
  expect(outcome("", [at(1), at(9)], description)).toEqual({
    reasons: ["1: set by a callback", "9: set by a callback"],
    complaints: none,
  });
});

test("without a reason nothing is suppressed, and that is a finding", () => {
  expect(outcome("int a; /* hotpatch-ignore: static-data-changed */", [at(1)])).toEqual({
    reasons: none,
    complaints: ["needs-review suppression-without-reason 1"],
  });
});

test.each(["*", "", "everything", "does-not-apply", "suppression-unused", "jump-label"])(
  "%j suppresses nothing, and that is a finding",
  (rule) => {
    expect(
      outcome(`int a; /* hotpatch-ignore: ${rule} because */`, [at(1), at(1, "does-not-apply")]),
    ).toEqual({
      reasons: none,
      complaints: ["info suppression-unused 1"],
    });
  },
);

test("only comments count, and only near the finding", () => {
  const text =
    'char *a = "/* hotpatch-ignore: static-data-changed no */";\n\n\n/* hotpatch-ignore: static-data-changed far */\n\nint b;\n';
  expect(outcome(text, [at(1), at(6)])).toEqual({ reasons: none, complaints: ["info suppression-unused 4"] });
});

test("hostile text takes no time", () => {
  const start = performance.now();
  for (const piece of ["/*", '"', "'\\", "//\n", "/* hotpatch-ignore: x y */"])
    outcome(`/* hotpatch-ignore: a b */${piece.repeat(20_000)}`, [at(1)]);
  expect(performance.now() - start).toBeLessThan(10_000);
});
