import { expect, test } from "vitest";
import { renderJson } from "./json.js";

test("what a terminal would obey is escaped and the value survives", () => {
  const value = { log: "\x1b[2J\x9b1m\u202e日本\n" };
  const text = renderJson(value);
  for (const character of ["\x1b", "\x9b", "\u202e"]) expect(text).not.toContain(character);
  expect(JSON.parse(text)).toEqual(value);
});
