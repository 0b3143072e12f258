import { oncePerText } from "./once.js";

/** More than anybody edits at a time; their tokens take some 20 MiB. */
const MOST_CHARACTERS = 2 ** 20;

/** Comments, literals, names, numbers, and operators of up to three characters (C11 6.4); anything else by itself. */
const TOKEN =
  /\/\*[\s\S]*?(?:\*\/|$)|\/\/(?:\\\r?\n|[^\n])*|(?:u8|[uUL])?"(?:\\[\s\S]|[^"\\\n])*"?|(?:[uUL])?'(?:\\[\s\S]|[^'\\\n])*'?|[A-Za-z_]\w*|\.?\d(?:[eEpP][+-]|[\w.])*|\.\.\.|<<=|>>=|->|\+\+|--|<<|>>|[<>=!+\-*/%&|^]=|&&|\|\||##|\\\r?\n|[^\s]/g;

/** A token and where it stands. */
export interface Token {
  readonly text: string;
  /** Offset in the text it was read from, in UTF-16 units. */
  readonly start: number;
}

/** The tokens of a piece of C, comments and line continuations left out. Any text gives tokens. */
export const tokensOf = oncePerText(readTokens, MOST_CHARACTERS);

function readTokens(text: string): readonly Token[] {
  const tokens: Token[] = [];
  for (const match of text.matchAll(TOKEN)) {
    const [found] = match;
    if (found.startsWith("/*") || found.startsWith("//") || found.startsWith("\\\n") || found === "\\\r\n")
      continue;
    tokens.push({ text: found, start: match.index });
  }
  return tokens;
}

/** The normal form of a piece of C: its tokens, joined by single blanks. */
export function normalForm(text: string): string {
  return tokensOf(text)
    .map((token) => token.text)
    .join(" ");
}

/** Whether a normal form holds a name as a token of its own. */
export function mentions(normal: string, name: string): boolean {
  for (let at = normal.indexOf(name); at !== -1; at = normal.indexOf(name, at + 1)) {
    const before = normal[at - 1] ?? " ";
    const after = normal[at + name.length] ?? " ";
    if (before === " " && after === " ") return true;
  }
  return false;
}

/** Every identifier of a normal form, each once. */
export function namesIn(normal: string): Set<string> {
  return new Set(normal.split(" ").filter((token) => /^[A-Za-z_]/.test(token) && !/["']$/.test(token)));
}
