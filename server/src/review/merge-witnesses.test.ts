import type { ObjectDiff } from "@kernel-hotpatch/kernel/objdiff/report";
import { expect, it } from "vitest";
import type { Finding } from "./finding.js";
import { mergeWitnesses } from "./merge-witnesses.js";

const base = {
  severity: "unsafe",
  file: "mm/a.c",
  line: 3,
  column: 1,
  endLine: 3,
  endColumn: 5,
  message: "m",
  why: "w",
  remedy: "r",
  related: [],
} as const;
const source = (rule: string, more: Partial<Finding> = {}): Finding => ({
  ...base,
  rule,
  witness: "source",
  ...more,
});
const object = (rule: string, more: Partial<Finding> = {}): Finding => ({
  ...base,
  rule,
  witness: "object",
  ...more,
});
const compared = [{ orig: "mm/a.o" } as ObjectDiff];

it("what both saw is one finding, at the source's place, confirmed", () => {
  const merged = mergeWitnesses(
    [source("static-data-changed", { symbol: "limit", line: 7 })],
    [object("static-data-changed", { symbol: "limit.12", severity: "needs-review" })],
    compared,
  );
  expect(merged).toMatchObject([
    { witness: "source", line: 7, severity: "needs-review", confirmed: { witness: "object" } },
  ]);
});

it("another symbol or another rule is another finding", () => {
  const merged = mergeWitnesses(
    [source("long-sleeper", { symbol: "a" })],
    [object("long-sleeper", { symbol: "b" }), object("compiler-clone", { symbol: "a" })],
    compared,
  );
  expect(merged).toHaveLength(3);
});

it("objects that show nothing of it contradict, and a person has to judge", () => {
  const [finding] = mergeWitnesses(
    [source("data-layout", { symbol: "struct foo", file: "mm/a.h" })],
    [],
    compared,
  );
  expect(finding).toMatchObject({ severity: "needs-review", contradicted: { witness: "object" } });
});

it.each([
  ["a unit that was not compared", source("static-data-changed", { file: "mm/b.c" })],
  ["what objects cannot decide", source("lock-semantics")],
  ["what is not sure anyway", source("data-layout", { severity: "info" })],
])("%s is not contradicted", (_title, finding) => {
  expect(mergeWitnesses([finding], [], compared)).toEqual([finding]);
});

it("without a comparison nothing is contradicted", () => {
  expect(mergeWitnesses([source("data-layout")], [], [])).toEqual([source("data-layout")]);
});
