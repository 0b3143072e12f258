/** A makefile as far as its text tells: no program is run, no other file looked at but by `include`. */
export interface Makefile {
  /** The words of a variable at the end of the makefile; among them `UNKNOWN` when there may be others. */
  words(variable: string): string[];
  /** Whether it is given any value, also an empty one. */
  isSet(variable: string): boolean;
  /** Every assignment, also those that the configuration leaves out. */
  readonly assignments: readonly Assignment[];
  /** False when something in it could not be followed, so that it may list more than is known. */
  readonly isWhole: boolean;
}

export interface Assignment {
  /** As written: `obj-$(CONFIG_PCI)`. */
  readonly variable: string;
  readonly words: readonly string[];
  /** Options that decide about it: in the variable's name, then in the conditions around it, innermost first. */
  readonly options: readonly string[];
}

export interface MakefileContext {
  /** Value of `$(CONFIG_X)`; empty for an option that is off, undefined when nobody knows. */
  option(name: string): string | undefined;
  /** Variables that are set beforehand. */
  readonly variables: Readonly<Record<string, string>>;
  /** Text of a file that is included; undefined when it cannot be read. */
  include(path: string): string | undefined;
}

/** Stands, alone or within a word, for what the text does not tell. */
export const UNKNOWN = "\0";

/**
 * Evaluates the text of a makefile of Kbuild (GNU make manual, "Using Variables", "Conditional Parts", "Functions").
 * Variables in small letters that nothing sets are empty; of those in capitals that the kernel's top makefile may set,
 * nothing is known. Any text gives a result.
 */
export function readMakefile(text: string, context: MakefileContext): Makefile {
  const state: State = {
    context,
    variables: new Map(
      Object.entries(context.variables).map(([name, value]) => [name, { value, deferred: false }]),
    ),
    assignments: [],
    conditions: [],
    isWhole: true,
    work: 0,
  };
  evaluate(state, text, 0);
  return {
    words: (name) => wordsIn(valueIn(state, name, 0)),
    isSet: (name) => state.variables.has(name),
    assignments: state.assignments,
    isWhole: state.isWhole,
  };
}

/** The words of a text, as make divides it. */
export function wordsIn(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

interface State {
  readonly context: MakefileContext;
  readonly variables: Map<string, { value: string; deferred: boolean }>;
  readonly assignments: Assignment[];
  readonly conditions: Condition[];
  isWhole: boolean;
  /** Characters expanded so far: a makefile can double its text with each line. */
  work: number;
}

type Truth = "yes" | "no" | "unknown";

interface Condition {
  /** Whether what it stands in is read. */
  readonly around: Truth;
  now: Truth;
  /** Whether a branch before was taken. */
  before: Truth;
  options: string[];
}

const MAX_DEPTH = 40;
const MAX_WORK = 20_000_000;

function evaluate(state: State, text: string, depth: number): void {
  const outside = state.conditions.length;
  let inRule = false;
  let inDefine = false;
  for (const raw of text.replace(/\\\r?\n[ \t]*/g, " ").split("\n")) {
    const line = withoutComment(raw).trim();
    if (inDefine) {
      if (/^endef\b/.test(line)) inDefine = false;
      continue;
    }
    if (line === "") continue;
    if (directive(state, line, outside)) continue;
    if (raw.startsWith("\t") && inRule) continue;
    inRule = false;
    const [, name = ""] = /^(?:override\s+|export\s+)*define\s+(\S+)/.exec(line) ?? [];
    if (name !== "") {
      inDefine = true;
      state.variables.set(name, { value: UNKNOWN, deferred: false });
      continue;
    }
    inRule = statement(state, line, depth) === "rule";
  }
  state.conditions.length = Math.min(state.conditions.length, outside);
}

/** @returns whether the line was a rule's first, after which lines with a tab are its recipe */
function statement(state: State, line: string, depth: number): "rule" | "other" {
  const active = activity(state);
  const include = /^(-|s)?include\s+(.*)$/.exec(line);
  if (include) {
    if (active === "no") return "other";
    for (const path of wordsIn(expand(state, include[2] ?? "", 0))) {
      const text = path.includes(UNKNOWN) ? undefined : state.context.include(path);
      if (text !== undefined && depth < 8 && active === "yes") evaluate(state, text, depth + 1);
      else if (text !== undefined || include[1] === undefined) state.isWhole = false;
    }
    return "other";
  }
  const assignment = splitAssignment(line.replace(/^(?:(?:export|unexport|override|private)\s+)+/, ""));
  if (assignment === "rule") return "rule";
  if (assignment === undefined) {
    // Such as $(eval …), or $(foreach …) that holds one; flags of files are of no interest here, messages set nothing.
    if (active !== "no" && /\$\(eval (?!CFLAGS_)/.test(line)) state.isWhole = false;
    return "other";
  }
  assign(state, assignment, active);
  return "other";
}

function assign(state: State, { name, operator, value }: Assigned, active: Truth): void {
  const inName = [...name.matchAll(/CONFIG_\w+/g)].map(([option]) => option);
  const around = state.conditions.toReversed().flatMap(({ options }) => options);
  const words = wordsIn(expand(state, value, 0));
  state.assignments.push({ variable: name, words, options: [...inName, ...around] });
  if (active === "no") return;
  const variable = expand(state, name, 0).trim();
  if (variable.includes(UNKNOWN)) {
    if (/^(?:obj|lib|subdir)-|-(?:y|m|objs)?$/.test(name) || !/flags/i.test(name)) state.isWhole = false;
    return;
  }
  const old = state.variables.get(variable);
  if (active === "unknown") {
    // Whether this happened is not known: what was there may be all, or more, or gone.
    const kept = operator === "+=" ? (old?.value ?? "") : "";
    state.variables.set(variable, { value: `${kept} ${UNKNOWN}`, deferred: old?.deferred ?? false });
    return;
  }
  if (operator === "?=" && old) return;
  if (operator === "!=") state.variables.set(variable, { value: UNKNOWN, deferred: false });
  else if (operator === "=" || operator === "?=") state.variables.set(variable, { value, deferred: true });
  else if (operator === "+=") {
    const isFlags = /^KBUILD_|FLAGS/.test(variable);
    const inherited = old ?? { value: isFlags ? initialValue(variable) : "", deferred: true };
    const added = inherited.deferred ? value : words.join(" ");
    state.variables.set(variable, {
      value: inherited.value === "" ? added : `${inherited.value} ${added}`,
      deferred: inherited.deferred,
    });
  } else state.variables.set(variable, { value: expand(state, value, 0), deferred: false });
}

interface Assigned {
  readonly name: string;
  readonly operator: string;
  readonly value: string;
}

function splitAssignment(line: string): Assigned | "rule" | undefined {
  let depth = 0;
  for (let index = 0; index < line.length; index++) {
    const character = line[index];
    if (character === "(" || character === "{") depth++;
    else if (character === ")" || character === "}") depth--;
    else if (depth <= 0 && (character === "=" || character === ":")) {
      const operator = /^(?:::?=|=)/.exec(line.slice(index))?.[0];
      if (operator === undefined) return "rule";
      const sign = /[+?!]$/.exec(line.slice(0, index))?.[0] ?? "";
      const name = line.slice(0, index - sign.length).trim();
      const value = line.slice(index + operator.length).trim();
      return { name, operator: sign === "" ? operator : `${sign}=`, value };
    }
  }
  return undefined;
}

/** @returns whether the line is a conditional's */
function directive(state: State, line: string, outside: number): boolean {
  const [, word = "", rest = ""] = /^(ifdef|ifndef|ifeq|ifneq|else|endif)\b\s*(.*)$/.exec(line) ?? [];
  const open = state.conditions.length > outside ? state.conditions.at(-1) : undefined;
  if (word === "") return false;
  if (word === "endif") {
    if (open) state.conditions.pop();
  } else if (word === "else") {
    if (!open) return true;
    open.before = either(open.before, open.now);
    const [, next = "", condition = ""] = /^(ifdef|ifndef|ifeq|ifneq)\b\s*(.*)$/.exec(rest) ?? [];
    open.options = [...open.options, ...optionsIn(condition)];
    open.now = not(open.before);
    if (next !== "") open.now = both(open.now, judge(state, next, condition));
  } else {
    const around = activity(state);
    state.conditions.push({ around, now: judge(state, word, rest), before: "no", options: optionsIn(rest) });
  }
  return true;
}

const optionsIn = (text: string) => [...new Set(text.match(/\bCONFIG_\w+/g) ?? [])];
const not = (truth: Truth): Truth => (truth === "unknown" ? truth : truth === "yes" ? "no" : "yes");
const both = (a: Truth, b: Truth): Truth =>
  a === "no" || b === "no" ? "no" : a === "yes" && b === "yes" ? "yes" : "unknown";
const either = (a: Truth, b: Truth): Truth => not(both(not(a), not(b)));

/** Whether the next line is read. */
function activity(state: State): Truth {
  const innermost = state.conditions.at(-1);
  return innermost ? both(innermost.around, innermost.now) : "yes";
}

function judge(state: State, word: string, condition: string): Truth {
  // Within what is left out nothing needs to be known.
  if (activity(state) === "no") return "no";
  const negated = word === "ifndef" || word === "ifneq";
  const truth = word.endsWith("def") ? isDefined(state, condition) : areEqual(state, condition);
  return negated ? not(truth) : truth;
}

function isDefined(state: State, condition: string): Truth {
  const name = expand(state, condition, 0).trim();
  const known = state.variables.get(name);
  // The text counts, not what it expands to.
  const value = known ? known.value : name.includes(UNKNOWN) ? UNKNOWN : lookUp(state, name);
  if (value === "") return "no";
  return wordsIn(value).every((part) => part === UNKNOWN) ? "unknown" : "yes";
}

function areEqual(state: State, condition: string): Truth {
  const sides = /^\(.*\)$/.test(condition)
    ? splitArguments(condition.slice(1, -1)).map((side) => side.trim())
    : [...condition.matchAll(/"([^"]*)"|'([^']*)'/g)].map(([, double, single]) => double ?? single ?? "");
  if (sides.length < 2) return "unknown";
  const [left = "", right = ""] = sides.map((side) => expand(state, side, 0));
  if (!left.includes(UNKNOWN) && !right.includes(UNKNOWN)) return left.trim() === right.trim() ? "yes" : "no";
  const isSomething = (text: string) => wordsIn(text).some((word) => !word.includes(UNKNOWN));
  const isNothing = (text: string) => text.trim() === "";
  return (isNothing(left) && isSomething(right)) || (isNothing(right) && isSomething(left))
    ? "no"
    : "unknown";
}

/** Expands every reference in a text. */
function expand(state: State, text: string, depth: number): string {
  state.work += text.length;
  if (depth > MAX_DEPTH || state.work > MAX_WORK) return UNKNOWN;
  let result = "";
  for (let at = 0; at < text.length; ) {
    const dollar = text.indexOf("$", at);
    if (dollar === -1) return result + text.slice(at);
    result += text.slice(at, dollar);
    const open = text[dollar + 1];
    if (open === "(" || open === "{") {
      const end = closing(text, dollar + 1);
      result += reference(state, text.slice(dollar + 2, end), depth + 1);
      at = end + 1;
    } else {
      result += open === "$" ? "$" : UNKNOWN;
      at = dollar + 2;
    }
    if (result.length > MAX_WORK) return UNKNOWN;
  }
  return result;
}

/** Offset of the bracket that closes the one at `start`; the text's end when none does. */
function closing(text: string, start: number): number {
  const [open, close] = text[start] === "(" ? ["(", ")"] : ["{", "}"];
  let depth = 0;
  for (let index = start; index < text.length; index++) {
    if (text[index] === open) depth++;
    else if (text[index] === close && --depth === 0) return index;
  }
  return text.length;
}

function reference(state: State, body: string, depth: number): string {
  const [, name = "", rest = ""] = /^([a-z][\w-]*)\s+([\s\S]*)$/.exec(body) ?? [];
  if (name !== "") return applied(state, name, splitArguments(rest), depth);
  const [, variable = "", from = "", to = ""] = /^([^:]+):([^=]*)=(.*)$/.exec(body) ?? [];
  if (variable !== "") {
    const [whole, pattern, replacement] = [variable, from, to].map((part) => expand(state, part, depth));
    const value = valueIn(state, whole ?? "", depth);
    const isPattern = from.includes("%");
    return substitute(
      isPattern ? (pattern ?? "") : `%${pattern}`,
      isPattern ? (replacement ?? "") : `%${replacement}`,
      value,
    );
  }
  const expanded = expand(state, body, depth);
  return expanded.includes(UNKNOWN) ? UNKNOWN : valueIn(state, expanded, depth);
}

function valueIn(state: State, name: string, depth: number): string {
  const variable = state.variables.get(name);
  if (!variable) return lookUp(state, name);
  return variable.deferred ? expand(state, variable.value, depth + 1) : variable.value;
}

/** Of a variable that the makefile does not set. */
function lookUp(state: State, name: string): string {
  return name.startsWith("CONFIG_") ? (state.context.option(name) ?? UNKNOWN) : initialValue(name);
}

/** The kernel's top makefile names what it exports in capitals. */
const initialValue = (name: string) => (/^[A-Z][A-Z0-9_]*$/.test(name) ? UNKNOWN : "");

function splitArguments(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (character === "(" || character === "{") depth++;
    else if (character === ")" || character === "}") depth--;
    else if (character === "," && depth === 0) {
      parts.push(text.slice(start, index));
      start = index + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

function applied(state: State, name: string, raw: readonly string[], depth: number): string {
  const argument = (index: number) => expand(state, raw[index] ?? "", depth);
  switch (name) {
    case "if": {
      const condition = argument(0).trim();
      if (condition === "") return argument(2);
      return isOnlyUnknown(condition) ? UNKNOWN : argument(1);
    }
    case "or": {
      for (const index of raw.keys()) {
        const value = argument(index).trim();
        if (value !== "") return isOnlyUnknown(value) ? UNKNOWN : value;
      }
      return "";
    }
    case "and": {
      const values = raw.map((_, index) => argument(index).trim());
      if (values.some((value) => value === "")) return "";
      return values.some(isOnlyUnknown) ? UNKNOWN : (values.at(-1) ?? "");
    }
    case "foreach": {
      const variable = argument(0).trim();
      const hidden = state.variables.get(variable);
      const results = wordsIn(argument(1)).map((word) => {
        state.variables.set(variable, { value: word, deferred: false });
        return argument(2);
      });
      if (hidden) state.variables.set(variable, hidden);
      else state.variables.delete(variable);
      return results.join(" ");
    }
    case "info":
    case "warning":
    case "error":
      return "";
    case "subst": {
      const [from, to, text] = [argument(0), argument(1), argument(2)];
      return from === "" ? text + to : text.replaceAll(from, () => to);
    }
    case "patsubst":
      return substitute(argument(0).trim(), argument(1).trim(), argument(2));
    case "filter":
    case "filter-out": {
      const patterns = wordsIn(argument(0));
      const words = wordsIn(argument(1)).filter((word) => {
        if (word.includes(UNKNOWN)) return true;
        return patterns.some((pattern) => stem(pattern, word) !== undefined) === (name === "filter");
      });
      if (patterns.some((pattern) => pattern.includes(UNKNOWN))) words.push(UNKNOWN);
      return words.join(" ");
    }
    case "strip":
      return wordsIn(argument(0)).join(" ");
    case "sort":
      return [...new Set(wordsIn(argument(0)))].sort().join(" ");
    case "addprefix":
      return wordsIn(argument(1))
        .map((word) => argument(0) + word)
        .join(" ");
    case "addsuffix":
      return wordsIn(argument(1))
        .map((word) => word + argument(0))
        .join(" ");
    case "notdir":
      return mapWords(argument(0), (word) => word.slice(word.lastIndexOf("/") + 1));
    case "dir":
      return mapWords(argument(0), (word) => word.slice(0, word.lastIndexOf("/") + 1) || "./");
    case "basename":
      return mapWords(argument(0), (word) => word.replace(/\.[^./]*$/, ""));
    case "firstword":
      return wordsIn(argument(0))[0] ?? "";
    case "lastword":
      return wordsIn(argument(0)).at(-1) ?? "";
    default:
      // shell, wildcard, call, eval and the rest: what they give depends on more than the text.
      return UNKNOWN;
  }
}

const mapWords = (text: string, change: (word: string) => string) => wordsIn(text).map(change).join(" ");
const isOnlyUnknown = (text: string) => wordsIn(text).every((word) => word.includes(UNKNOWN));

/** What `%` stands for when the word matches the pattern. */
function stem(pattern: string, word: string): string | undefined {
  const percent = pattern.indexOf("%");
  if (percent === -1) return pattern === word ? "" : undefined;
  const [head, tail] = [pattern.slice(0, percent), pattern.slice(percent + 1)];
  if (word.length < head.length + tail.length || !word.startsWith(head) || !word.endsWith(tail))
    return undefined;
  return word.slice(head.length, word.length - tail.length);
}

function substitute(pattern: string, replacement: string, text: string): string {
  return mapWords(text, (word) => {
    const found = stem(pattern, word);
    if (found === undefined) return word;
    return pattern.includes("%") ? replacement.replace("%", () => found) : replacement;
  });
}

function withoutComment(line: string): string {
  const hash = /(^|[^\\])#/.exec(line);
  return hash ? line.slice(0, hash.index + (hash[1]?.length ?? 0)) : line;
}
