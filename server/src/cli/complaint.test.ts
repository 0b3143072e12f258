import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { expect, test } from "vitest";
import { asFault } from "../review/as-fault.js";
import { complaint } from "./complaint.js";

test("a Fault is a line and what to do", () => {
  const fault = new Fault("bad-input", "no rule '\x1b[2J'\nx", { remedy: "look it up", detail: "evidence" });
  expect(complaint(fault, false)).toBe("hotpatch: no rule '\\u001b[2J'\\nx\n  look it up\n");
  expect(complaint(fault, true)).toMatch(/\nevidence\n$/);
});

test("evidence is cut to its end", () => {
  const detail = Array.from({ length: 100 }, (_, index) => `line ${index}`).join("\n");
  const text = complaint(new Fault("bad-input", "m", { detail }), true);
  expect(text).toContain("… 60 lines before\nline 60\n");
  expect(text).not.toContain("line 59\n");
});

test("a defect owns up, and shows its stack only when asked", () => {
  const error = new TypeError("x is undefined");
  expect(complaint(error, false)).toMatch(/^hotpatch: defect: x is undefined\n {2}this is our mistake/);
  expect(complaint(error, false)).not.toContain("complaint.test");
  expect(complaint(error, true)).toContain("complaint.test");
});

test("what the machine must answer for is no defect", () => {
  const full = Object.assign(new Error("ENOSPC: no space"), { code: "ENOSPC", path: "/x/y" });
  expect(asFault(full)).toMatchObject({ code: "lacking", message: "no space left on the disk: /x/y" });
  const other = new Error("odd");
  expect(asFault(other)).toBe(other);
});
