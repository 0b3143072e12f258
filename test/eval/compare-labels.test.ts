import { expect, test } from "vitest";
import { compareLabels, type Judged, plainName, type Said } from "./compare-labels.js";
import type { Label } from "./truth.js";

const label = (rule: string, symbol?: string, more: Partial<Label> = {}): Label => ({
  rule,
  ...(symbol !== undefined && { symbol }),
  also: [],
  evidence: "seen",
  isUnsafe: true,
  ...more,
});
const said = (rule: string, symbol?: string): Said => ({
  rule,
  severity: "unsafe",
  line: 3,
  message: "told",
  ...(symbol !== undefined && { symbol }),
});
const judged = (labels: readonly Label[], findings: readonly Said[], more: Partial<Judged> = {}): Judged => ({
  path: "fs/a.c",
  truth: { labels, changed: [], fanOut: [] },
  isBuilt: true,
  verdict: "unsafe",
  findings,
  ...more,
});
const score = (truth: number, found: number, missed: number, right: number, falseAlarms: number) => ({
  truth,
  found,
  missed,
  right,
  falseAlarms,
});

test("a finding of the same family and symbol finds a label", () => {
  const { rules, total, mismatches } = compareLabels([
    judged([label("ops-table-changed", "table")], [said("static-data-changed", "table")]),
  ]);
  expect(rules.get("ops-table-changed")).toEqual(score(1, 1, 0, 0, 0));
  expect(rules.get("static-data-changed")).toEqual(score(0, 0, 0, 1, 0));
  expect(total).toEqual(score(1, 1, 0, 1, 0));
  expect(mismatches).toEqual([]);
});

test("another symbol, another family or none finds nothing", () => {
  const { total, mismatches } = compareLabels([
    judged([label("init-code", "start")], [said("init-code", "other"), said("data-layout", "struct start")]),
    judged([label("export-changed", "f")], []),
  ]);
  expect(total).toEqual(score(2, 0, 2, 0, 2));
  expect(mismatches.map(({ kind, rule, symbol }) => [kind, rule, symbol])).toEqual([
    ["missed", "init-code", "start"],
    ["false alarm", "init-code", "other"],
    ["false alarm", "data-layout", "struct start"],
    ["missed", "export-changed", "f"],
  ]);
});

test("a finding may name what was inlined", () => {
  const { total } = compareLabels([
    judged([label("init-code", "start", { also: ["part"] })], [said("init-code", "part")]),
  ]);
  expect(total).toEqual(score(1, 1, 0, 1, 0));
});

test("what is in doubt is neither demanded nor wrong", () => {
  const doubtful = label("data-added", "n", { doubt: "who knows" });
  expect(compareLabels([judged([doubtful], [])]).total).toEqual(score(0, 0, 0, 0, 0));
  expect(compareLabels([judged([doubtful], [said("data-added", "n")])]).total).toEqual(score(0, 0, 0, 0, 0));
});

test("rules beyond what objects can prove are not judged", () => {
  const { rules, mismatches } = compareLabels([judged([], [said("lock-semantics", "f")])]);
  expect(rules.size).toBe(0);
  expect(mismatches).toEqual([]);
});

test("of a file that is not built, nothing else is judged", () => {
  const findings = [said("not-built"), said("data-layout", "struct s")];
  const { total } = compareLabels([judged([label("not-built")], findings, { isBuilt: false })]);
  expect(total).toEqual(score(1, 1, 0, 1, 0));
});

test("that something is compiled out is judged by its code", () => {
  const truth = { labels: [], changed: ["f"], fanOut: [] };
  const { rules } = compareLabels([
    judged([], [said("compiled-out", "f"), said("compiled-out", "g")], { truth }),
  ]);
  expect(rules.get("compiled-out")).toEqual(score(0, 0, 0, 1, 1));
});

test("safe is an offence where the truth is unsafe, found or not", () => {
  const safe = { verdict: "safe" } as const;
  const kinds = (one: Judged) => compareLabels([one]).mismatches.map(({ kind }) => kind);
  expect(kinds(judged([label("init-code", "f")], [said("init-code", "f")], safe))).toEqual(["safe"]);
  expect(
    kinds(judged([label("init-code", "f", { isUnsafe: false })], [said("init-code", "f")], safe)),
  ).toEqual([]);
  const layout = label("data-layout", "struct s");
  expect(kinds(judged([layout], [said("data-layout-local", "struct s")], safe))).toEqual([]);
  expect(kinds(judged([layout], [], safe))).toEqual(["missed", "safe"]);
});

test.each([
  ["EXPORT_SYMBOL_GPL(do_exit)", "do_exit"],
  ['EXPORT_SYMBOL_NS(f, "NS")', "f"],
  ["struct foo", "foo"],
  ["count.123", "count"],
  ["f.count", "count"],
  ["__x64_sys_open", "sys_open"],
  ["__se_compat_sys_open", "compat_sys_open"],
  ["__do_sys_open", "sys_open"],
  ["do_sys_open", "do_sys_open"],
])("%s is %s", (symbol, name) => expect(plainName(symbol)).toBe(name));
