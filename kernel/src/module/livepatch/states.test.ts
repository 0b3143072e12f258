import { expect, test } from "vitest";
import { statesOf } from "./states.js";

const unit = (name: string, ...states: [number, number][]) => ({
  unit: name,
  states: states.map(([id, version]) => ({ id, version })),
});

test("states of all files, each once, in order of their ids", () => {
  const { states, refusals } = statesOf([unit("a.c", [9, 1], [2, 5]), unit("b.c", [9, 1])]);
  expect(refusals).toEqual([]);
  expect(states).toEqual([
    { id: 2, version: 5 },
    { id: 9, version: 1 },
  ]);
});

test.each([
  ["the end of the kernel's list", [unit("a.c", [0, 1])], "has the id 0"],
  ["two versions", [unit("a.c", [3, 1]), unit("b.c", [3, 2])], "with version 1 and with 2"],
  ["more than an unsigned int", [unit("a.c", [3, 2 ** 32])], "more than 32 bits"],
  ["more than a number holds exactly", [unit("a.c", [2 ** 60, 1])], "from 1 on"],
])("refused: %s", (_, units, words) => {
  const { refusals } = statesOf(units);
  expect(refusals).toMatchObject([{ rule: "system-state", severity: "unsafe" }]);
  expect(refusals[0]?.message).toContain(words);
});
