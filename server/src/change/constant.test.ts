import { expect, test } from "vitest";
import { constantValue } from "./constant.js";

test.each([
  ["1", 1n],
  ["0x10UL", 16n],
  ["010", 8n],
  ["1 << 3 | BIT ( 0 )", 9n],
  ["2 + 3 * 4", 14n],
  ["10 - 3 - 2", 5n],
  ["- 1", -1n],
  ["~ 0 & 0xff", 255n],
  ["( LIMIT + 1 ) * 2", 8n],
])("%s is %s", (text, value) => {
  expect(constantValue(text, new Map([["LIMIT", 3n]]))).toBe(value);
});

test.each(["", "OTHER", "1 +", "sizeof ( int )", "1 / 0", "( 1", "1 << 99", "f ( 1 )"])(
  "%s has no known value",
  (text) => {
    expect(constantValue(text)).toBeUndefined();
  },
);
