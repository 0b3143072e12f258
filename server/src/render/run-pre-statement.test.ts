import { expect, test } from "vitest";
import type { Review } from "../review/review.js";
import { runPreStatement } from "./run-pre-statement.js";

type Functions = NonNullable<Review["runPre"]>;

function functions(...outcomes: Functions[number]["outcome"][]): Functions {
  return outcomes.map((outcome) => ({ unit: "fs/exec.c", object: "vmlinux", name: "f", outcome }));
}

test("what matches is counted, and what does not is never left out", () => {
  expect(runPreStatement(functions("matched", "matched"))).toBe("run-pre: 2 of 2 functions match the image");
  expect(runPreStatement(functions("matched", "mismatch", "unknown", "unknown"))).toBe(
    "run-pre: 1 of 4 functions match the image (1 differ, 2 could not be compared)",
  );
});
