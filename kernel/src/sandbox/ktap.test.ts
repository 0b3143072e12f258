import { expect, test } from "vitest";
import { parseKtap } from "./ktap.js";

/** The long example of Documentation/dev-tools/ktap.rst, shortened. */
const NESTED = `KTAP version 1
1..1
  KTAP version 1
  1..3
    KTAP version 1
    1..1
    # test_1: initializing test_1
    ok 1 test_1
  ok 1 example_test_1
    KTAP version 1
    1..2
    ok 1 test_1 # SKIP test_1 skipped
    ok 2 test_2
  ok 2 example_test_2
    KTAP version 1
    1..2
    # test_2: FAIL
    not ok 1 test_2
    ok 2 test_3 # SKIP test_3 skipped
  not ok 3 example_test_3
not ok 1 main_test
`;

test("nested results keep their levels, numbers and diagnostics", () => {
  const report = parseKtap(NESTED);
  expect(report?.planned).toBe(1);
  const main = report?.results[0];
  expect(main).toMatchObject({ name: "main_test", outcome: "failed" });
  expect(main?.subtests.map(({ name, outcome }) => [name, outcome])).toEqual([
    ["example_test_1", "passed"],
    ["example_test_2", "passed"],
    ["example_test_3", "failed"],
  ]);
  expect(main?.subtests[0]?.subtests[0]?.diagnostics).toEqual(["test_1: initializing test_1"]);
  expect(main?.subtests[1]?.subtests[0]).toMatchObject({ outcome: "skipped", remark: "SKIP test_1 skipped" });
  expect(main?.subtests[2]?.subtests[0]).toMatchObject({ outcome: "failed", diagnostics: ["test_2: FAIL"] });
});

test("lines of other kinds are kept as diagnostics and decide nothing", () => {
  const report = parseKtap(
    "booting\nKTAP version 1\n1..2\n[ 1.0] noise\nok 1 - first\n  more noise\nnot ok 2\n# last",
  );
  expect(report).toEqual({
    planned: 2,
    results: [
      { name: "first", outcome: "passed", remark: "", diagnostics: ["[ 1.0] noise"], subtests: [] },
      { name: "", outcome: "failed", remark: "", diagnostics: ["more noise"], subtests: [] },
    ],
    rest: ["last"],
  });
});

test("a report cut short keeps what was said last", () => {
  const report = parseKtap(
    "KTAP version 1\n1..3\nok 1 load\n# begin transition\n  KTAP version 1\n  ok 1 inn",
  );
  expect(report?.results.map(({ name }) => name)).toEqual(["load"]);
  expect(report?.rest).toEqual(["begin transition"]);
});

test("text without a version line is no report", () => {
  expect(parseKtap("ok 1 load\n")).toBeUndefined();
});
