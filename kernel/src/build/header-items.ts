import { codeLines } from "./code-lines.js";

/** What a header holds at file level: one declaration, or one line that speaks to the preprocessor. */
export type HeaderItem = Directive | Declaration;

interface Common {
  /** In tokens with single blanks between them, without comments. */
  readonly text: string;
  /** The `#if` groups it stands in, outermost first. */
  readonly condition: string;
}

export interface Directive extends Common {
  readonly kind: "define" | "undef" | "include" | "other";
  /** The macro; empty for all others. */
  readonly name: string;
}

export interface Declaration extends Common {
  readonly kind: "function" | "declaration";
  readonly tokens: readonly string[];
}

const TOKEN = /[A-Za-z_]\w*|\d[\w.]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\S/g;
const OPENING = "{([";
const CLOSING = "})]";

/**
 * Divides the text of a header, without preprocessing it. What stands between two branches of an `#if` inside of a
 * declaration stays part of that declaration.
 * @returns in order; undefined when braces do not match or the last declaration does not end, so that nobody can tell where
 *   anything does
 */
export function headerItems(source: string): HeaderItem[] | undefined {
  const items: HeaderItem[] = [];
  const conditions: string[] = [];
  let tokens: string[] = [];
  let depth = 0;
  let isFunction = false;
  const end = () => {
    if (tokens.length > 0)
      items.push({
        kind: isFunction ? "function" : "declaration",
        text: tokens.join(" "),
        tokens,
        condition: conditions.join(" && "),
      });
    tokens = [];
    isFunction = false;
  };
  for (const line of codeLines(source)) {
    if (/^\s*#/.test(line)) {
      const text = tokensOf(line).join(" ");
      if (depth === 0 && isInvocation(tokens)) end();
      const isConditional = nest(conditions, text);
      if (tokens.length > 0) tokens.push(text);
      else if (!isConditional) items.push(directiveOf(text, conditions.join(" && ")));
      continue;
    }
    for (const token of tokensOf(line)) {
      if (token === "{" && depth === 0) isFunction = opensBody(tokens);
      if (OPENING.includes(token)) depth++;
      if (CLOSING.includes(token)) depth--;
      if (depth < 0) return undefined;
      tokens.push(token);
      if (depth === 0 && (token === ";" || (token === "}" && isFunction))) end();
    }
  }
  // Something that goes on where it is included, such as an entry of a table.
  if (tokens.length > 0 && !isInvocation(tokens)) return undefined;
  if (depth !== 0 || conditions.length > 0) return undefined;
  end();
  return items;
}

export function isDirective(item: HeaderItem): item is Directive {
  return item.kind !== "function" && item.kind !== "declaration";
}

export function tokensOf(text: string): string[] {
  return text.match(TOKEN) ?? [];
}

/** Every name in a piece of C, keywords among them, as often as it stands there. */
export function namesIn(text: string): string[] {
  return text.match(/[A-Za-z_]\w*/g) ?? [];
}

/** Keeps count of the `#if` groups that are open. @returns whether the directive is about them */
export function nest(conditions: string[], directive: string): boolean {
  const [, word = "", condition = ""] = /^# (if|ifdef|ifndef|elif|else|endif)\b ?(.*)$/.exec(directive) ?? [];
  if (word === "") return false;
  if (word.startsWith("if")) conditions.push(`${word} ${condition}`);
  else {
    const was = conditions.pop() ?? "";
    if (word !== "endif") conditions.push(`${word} ${condition} after ${was}`);
  }
  return true;
}

function directiveOf(text: string, condition: string): Directive {
  const [, word, name = ""] = /^# (define|undef|include)\b ?(\w*)/.exec(text) ?? [];
  if (word === "define" || word === "undef") return { kind: word, name, text, condition };
  return { kind: word === "include" ? word : "other", name: "", text, condition };
}

/** `DECLARE_SOMETHING(…)` without a semicolon. */
function isInvocation(tokens: readonly string[]): boolean {
  return /^[A-Z][A-Z0-9_]*$/.test(tokens[0] ?? "") && tokens[1] === "(" && tokens.at(-1) === ")";
}

/** Whether a brace behind these tokens begins what a function does: there are parameters before it. */
function opensBody(tokens: readonly string[]): boolean {
  if (tokens.includes("=") || tokens[0] === "typedef") return false;
  if (/^(struct|union|enum)$/.test(tokens.at(-2) ?? "")) return false;
  return tokens.includes(")");
}
