import { expect, test } from "vitest";
import { printable, printableLine } from "./printable.js";

test("terminal sequences become harmless text", () => {
  expect(printable("\x1b[2Jgone\x07")).toBe("\\u001b[2Jgone\\u0007");
  expect(printable("\x9b31m\x7f\r")).toBe("\\u009b31m\\u007f\\u000d");
});

test("text that reorders itself is shown as what it is", () => {
  expect(printable("a\u202eb\u2066c\u200fd")).toBe("a\\u202eb\\u2066c\\u200fd");
});

test("ordinary text, tabs and newlines stay", () => {
  expect(printable("naïve\tü → 日本\n")).toBe("naïve\tü → 日本\n");
  expect(printableLine("a\nb")).toBe("a\\nb");
});
