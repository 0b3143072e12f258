import { diffArrays } from "diff";

/** Edits beyond this are not aligned: the time for it grows with their square. */
const MAXIMUM_EDITS = 4000;

/**
 * Puts `#line N` into a changed file so that the lines that did not change keep their numbers: `__LINE__` in `WARN`,
 * `BUG`, `might_sleep` or lockdep then makes no difference between the two objects. The file's name (`__FILE__`)
 * stays, because the directive gives none (C11, 6.10.4).
 *
 * A directive is only put where it cannot mean anything else: not inside a comment, a literal, a continued line or
 * parentheses (arguments of a macro may span lines; directives there are undefined, C11 6.10.3 p11).
 * @param before the file as it was; one character a byte (latin1)
 * @param after the file as patched
 * @returns `after` with directives; `after` itself when the two have too little in common
 */
export function keepLineNumbers(before: string, after: string): string {
  const lines = after.split("\n");
  const numbers = originalNumbers(before.split("\n"), lines);
  if (numbers === undefined) return after;

  const marked: string[] = [];
  let state = START;
  // What the compiler would call the next line; NaN when that depends on what the configuration leaves out.
  let next = 1;
  for (const [index, line] of lines.entries()) {
    const wanted = numbers[index];
    const last = index === lines.length - 1 && line === "";
    if (wanted !== undefined && wanted !== next && !last && isSafe(state, line)) {
      marked.push(`#line ${wanted}`);
      next = wanted;
      // The directive is skipped along with the conditional group that it stands in.
      state = { ...state, conditionals: state.conditionals.map((group) => ({ ...group, marked: true })) };
    }
    marked.push(line);
    next++;
    const read = readLine(state, line);
    if (read.leftMarkedGroup) next = Number.NaN;
    state = read.state;
  }
  return marked.join("\n");
}

/**
 * @param line number that the compiler gave to a line of the marked file, from 1
 * @returns the line's number in `after`; the same number for a line that is not there any more
 */
export function patchedLine(before: string, after: string, line: number): number {
  const index = originalNumbers(before.split("\n"), after.split("\n"))?.indexOf(line) ?? -1;
  return index < 0 ? line : index + 1;
}

/** For each line of `after`, its number in `before`, counted from 1; absent for added lines. */
function originalNumbers(
  before: readonly string[],
  after: readonly string[],
): (number | undefined)[] | undefined {
  const parts = diffArrays([...before], [...after], { maxEditLength: MAXIMUM_EDITS });
  if (parts === undefined) return undefined;
  const numbers: (number | undefined)[] = [];
  let original = 1;
  for (const { added, removed, value } of parts) {
    if (removed) original += value.length;
    else for (const _ of value) numbers.push(added ? undefined : original++);
  }
  return numbers;
}

interface Conditional {
  /** Parentheses open where the group began; each branch starts from there. */
  readonly depth: number;
  /** The fewest that were open at the end of a branch so far; text that is left out need not be balanced. */
  readonly least: number;
  readonly hasElse: boolean;
  /** A `#line` was put inside it. */
  readonly marked: boolean;
}

/** Where a tiny lexer of C is at the start of a line. */
interface State {
  readonly inside: "code" | "comment" | "line comment" | '"' | "'";
  /** The previous line ends in a backslash. */
  readonly continued: boolean;
  /** This is the rest of a preprocessing directive. */
  readonly directive: boolean;
  readonly depth: number;
  readonly conditionals: readonly Conditional[];
}

const START: State = { inside: "code", continued: false, directive: false, depth: 0, conditionals: [] };

/** @param line the one that would follow the directive: an opening parenthesis may belong to a macro's name above */
function isSafe(state: State, line: string): boolean {
  return state.inside === "code" && !state.continued && state.depth === 0 && !/^\s*\(/.test(line);
}

function readLine(start: State, line: string): { state: State; leftMarkedGroup: boolean } {
  const begins = start.inside === "code" && !start.continued;
  const directive = begins ? /^\s*#/.test(line) : start.directive;
  let { inside, depth } = start;
  // A function's closing brace ends whatever parentheses were miscounted before it.
  if (begins && line.startsWith("}")) depth = 0;
  for (let at = 0; at < line.length; at++) {
    const here = line[at];
    const pair = line.slice(at, at + 2);
    if (inside === "comment") {
      if (pair === "*/") {
        inside = "code";
        at++;
      }
    } else if (inside === "code") {
      if (pair === "/*" || pair === "//") {
        inside = pair === "/*" ? "comment" : "line comment";
        at++;
      } else if (here === '"' || here === "'") inside = here;
      else if (here === "(" && !directive) depth++;
      else if (here === ")" && !directive) depth = Math.max(0, depth - 1);
    } else if (inside !== "line comment") {
      if (here === "\\") at++;
      else if (here === inside) inside = "code";
    }
  }
  const continued = line.endsWith("\\");
  // A literal or a line comment ends with its line; in text that is left out, an apostrophe may stand alone.
  if (!continued && inside !== "comment") inside = "code";
  const state = { inside, continued, directive: directive && (continued || inside === "comment"), depth };
  const {
    conditionals,
    leftMarkedGroup,
    depth: branchDepth,
  } = begins
    ? readConditional(start.conditionals, line, depth)
    : { conditionals: start.conditionals, leftMarkedGroup: false, depth };
  return { state: { ...state, depth: branchDepth, conditionals }, leftMarkedGroup };
}

function readConditional(conditionals: readonly Conditional[], line: string, depth: number) {
  const word = /^\s*#\s*(if|ifdef|ifndef|elif|else|endif)\b/.exec(line)?.[1];
  if (word?.startsWith("if")) {
    const group = { depth, least: Number.POSITIVE_INFINITY, hasElse: false, marked: false };
    return { conditionals: [...conditionals, group], leftMarkedGroup: false, depth };
  }
  const top = conditionals.at(-1);
  if (word === undefined || top === undefined) return { conditionals, leftMarkedGroup: false, depth };
  const outer = conditionals.slice(0, -1);
  const leftMarkedGroup = top.marked;
  const least = Math.min(top.least, depth);
  if (word !== "endif") {
    const group = { ...top, least, hasElse: top.hasElse || word === "else" };
    return { conditionals: [...outer, group], leftMarkedGroup, depth: top.depth };
  }
  // Without an #else there is one more branch, empty, which ends as the group began.
  return { conditionals: outer, leftMarkedGroup, depth: top.hasElse ? least : Math.min(least, top.depth) };
}
