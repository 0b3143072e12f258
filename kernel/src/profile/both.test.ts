import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { Fault } from "../host/fault.js";
import { run } from "../host/run.js";
import { both } from "./both.js";

const work = { signal: new AbortController().signal, cache: "/nonexistent", progress: () => undefined };

test("gives both results", async () => {
  expect(
    await both(
      work,
      async () => 1,
      async () => "two",
    ),
  ).toEqual([1, "two"]);
});

test("stops the other when one fails, and tells the first failure", async () => {
  const started = performance.now();
  const failing = async () => {
    await setTimeout(100);
    throw new Fault("lacking", "the first");
  };
  await expect(both(work, (shared) => run(shared, ["sleep", "20"]), failing)).rejects.toThrow("the first");
  expect(performance.now() - started).toBeLessThan(10_000);
});
