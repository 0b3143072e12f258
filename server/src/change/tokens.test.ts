import { describe, expect, it } from "vitest";
import { mentions, namesIn, normalForm } from "./tokens.js";

describe("normal form", () => {
  it.each([
    ["a+b", "a + b"],
    ["a /* x */ + // y\n b", "a + b"],
    ["p->next->prev", "p -> next -> prev"],
    ['"a  b" "c\\"d"', '"a  b" "c\\"d"'],
    ["do { x; } \\\n while (0)", "do { x ; } while ( 0 )"],
    ["0x1fUL << 3", "0x1fUL << 3"],
    ["'\\'' + L'x'", "'\\'' + L'x'"],
    ["f(...)", "f ( ... )"],
    ["/* open", ""],
    ['"open', '"open'],
    ["a##b", "a ## b"],
  ])("%j", (text, expected) => {
    expect(normalForm(text)).toBe(expected);
  });

  it("names are found as whole tokens", () => {
    expect(mentions("foo -> bar_baz", "bar")).toBe(false);
    expect(mentions("foo -> bar", "bar")).toBe(true);
    expect([...namesIn('a + "b" + c1 + 2')]).toEqual(["a", "c1"]);
  });
});
