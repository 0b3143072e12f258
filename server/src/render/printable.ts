// C0 (tab and newline aside), DEL, C1, and what reorders or breaks lines in Unicode.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNPRINTABLE = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/**
 * Text from patches, kernels and guests, safe to show on a terminal: what could move the cursor, colour or reorder
 * text is written as `\u001b`. Tabs and newlines stay.
 */
export function printable(text: string): string {
  return text.replaceAll(
    UNPRINTABLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Like {@link printable}, on one line: newlines are written as `\n`. */
export function printableLine(text: string): string {
  return printable(text).replaceAll("\n", "\\n");
}
