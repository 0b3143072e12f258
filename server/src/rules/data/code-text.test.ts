import { expect, test } from "vitest";
import { codeText } from "./code-text.js";

test.each([
  ["int ( * ) ( struct inode * inode , int flags )", "int (*)(struct inode *inode, int flags)"],
  ["{ . type = NLA_U32 }", "{ .type = NLA_U32 }"],
  ["NLA_POLICY_MAX ( NLA_U32 , 2 * LIMIT )", "NLA_POLICY_MAX(NLA_U32, 2 * LIMIT)"],
  ["( 1 << 3 )", "(1 << 3)"],
  ["const char * [ 4 ]", "const char *[4]"],
  ["- 1", "-1"],
  ["u32 : 1", "u32:1"],
])("%s is shown as %s", (normal, text) => {
  expect(codeText(normal)).toBe(text);
});

test("what is too long ends in dots", () => {
  expect(codeText("a + b + c + d", 8)).toBe("a + b...");
});
