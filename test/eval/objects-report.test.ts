import { expect, test } from "vitest";
import type { Loaded } from "./batch-boot.js";
import type { BuiltPatch } from "./built-patch.js";
import { barsOf, type ObjectsResult, renderRefusals, renderTable, type Tried } from "./objects-report.js";

const MODULE = {
  path: "/p.ko",
  sha256: "0",
  name: "p",
  backend: "livepatch",
  objects: [],
  functions: [],
  callbacks: [],
  states: [],
  replace: false,
} as const;
const good = (id: string): Loaded => ({
  id,
  targets: "built in",
  load: true,
  transition: true,
  exercise: true,
  unload: true,
  log: [],
  words: [],
});

function tried(outcome: BuiltPatch["outcome"], count: number, loaded?: Partial<Loaded>): Tried[] {
  return Array.from({ length: count }, (_, at) => {
    const id = `${outcome}-${at}`;
    const isCarried = outcome === "carried";
    const reasons = isCarried ? [] : [{ rule: "init-code", symbol: "f", message: "'f' has run" }];
    const runPre = [{ unit: "a.c", object: "vmlinux", name: "f", outcome: "matched" as const }];
    const built: BuiltPatch = {
      id,
      files: [`${id}.c`],
      outcome,
      reasons,
      ...(isCarried && { module: MODULE, runPre }),
    };
    return { built, ...(isCarried && { loaded: { ...good(id), ...loaded } }) };
  });
}

function resultOf(alone: readonly Tried[], rest: Partial<ObjectsResult> = {}): ObjectsResult {
  return {
    from: "old",
    to: "new",
    origin: "source",
    seed: 1,
    outcomes: { compiled: alone.length, "not-built": 0, "does-not-compile": 0, included: 0 },
    alone,
    groups: tried("carried", 30),
    ungrouped: [],
    again: Array.from({ length: 20 }, (_, at) => ({ id: String(at), same: true })),
    ...rest,
  };
}

const missed = (result: ObjectsResult) => barsOf(result).flatMap(({ what, holds }) => (holds ? [] : [what]));

test("all bars hold", () => {
  expect(
    missed(resultOf([...tried("carried", 115), ...tried("refused", 10), ...tried("unchanged", 5)])),
  ).toEqual([]);
});

test("each bar can be missed", () => {
  expect(missed(resultOf(tried("carried", 119)))).toEqual(["files that compile alone"]);
  expect(missed(resultOf([...tried("carried", 110), ...tried("refused", 10)]))).toEqual([
    "carried of the files alone",
  ]);
  const groups = [...tried("carried", 20), ...tried("refused", 10)];
  expect(missed(resultOf(tried("carried", 120), { groups }))).toEqual(["carried of the groups"]);
  expect(missed(resultOf([...tried("carried", 120), ...tried("failed", 1)]))).toEqual(["failed"]);
  for (const bad of [
    { load: false },
    { transition: false },
    { exercise: false },
    { unload: false },
    { log: ["x"] },
  ])
    expect(missed(resultOf([...tried("carried", 120), ...tried("carried", 1, bad)]))).toEqual([
      "of the carried in and out, log clean",
    ]);
  const again = Array.from({ length: 20 }, (_, at) => ({ id: String(at), same: at > 0 }));
  expect(missed(resultOf(tried("carried", 120), { again }))).toEqual(["of these the same bytes"]);
});

test("what was carried and not loaded counts against the boots", () => {
  const alone = tried("carried", 120).map(({ built }) => ({ built }));
  expect(missed(resultOf(alone))).toEqual(["of the carried in and out, log clean"]);
});

test("run-pre counts functions, also those of patches that it refuses", () => {
  const mismatch = tried("refused", 3).map(({ built }) => ({
    built: {
      ...built,
      runPre: [
        { unit: "a.c", object: "vmlinux", name: "g", outcome: "mismatch" as const, reason: "other bytes" },
      ],
    },
  }));
  const result = resultOf([...tried("carried", 120), ...mismatch]);
  expect(missed(result)).toEqual(["functions run-pre matched"]);
  expect(renderTable(result)).toContain("run-pre mismatch: g of a.c: other bytes");
});

test("the table names what went wrong, the list each refusal", () => {
  const result = resultOf([...tried("carried", 1, { log: ["WARNING: bad"] }), ...tried("refused", 1)]);
  expect(renderTable(result)).toContain("did not run: carried-0\n    WARNING: bad");
  expect(renderTable(result)).toMatch(/ {2}init-code +1 +0\n/);
  expect(renderRefusals(result)).toBe("refused: refused-0.c\n    init-code f: 'f' has run\n");
});

test("what ran only at a second try is good, and told as such", () => {
  const result = resultOf([
    ...tried("carried", 1, { firstTry: ["load: TIMEOUT after 120 s"] }),
    ...tried("carried", 120),
  ]);
  expect(missed(result)).toEqual([]);
  const table = renderTable(result);
  expect(table).toMatch(/only at a second try, alone +1 +0\n/);
  expect(table).toContain(
    "in and out only at a second try, alone: carried-0\n    load: TIMEOUT after 120 s\n",
  );
  const bad = resultOf([...tried("carried", 120, { firstTry: [], load: false })]);
  expect(missed(bad)).toEqual(["of the carried in and out, log clean"]);
});
