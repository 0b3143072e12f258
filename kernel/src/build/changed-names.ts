import { diffArrays } from "diff";
import {
  type Declaration,
  type Directive,
  type HeaderItem,
  headerItems,
  nest,
  tokensOf,
} from "./header-items.js";

/** What of a header differs between two versions, in terms of the names that other code must use to notice. */
export interface ChangedNames {
  /** Who uses none of them compiles to the same. */
  readonly names: ReadonlyMap<string, NameKind>;
  /** `struct tag`, `union tag`: to be proven to be laid out as before. Who names no changed member compiles to the same. */
  readonly types: ReadonlySet<string>;
}

/**
 * `value`: an enumerator. `code`: a function, a variable, a member. A `new macro` is known to the new version only, so
 * that nobody can have put its name together of parts.
 */
export type NameKind = "macro" | "new macro" | "value" | "code";

/**
 * What code that exists can notice of a change to a header. Names that only the new version declares are left out,
 * unless they are macros: code that compiled without them does not use them.
 * @returns a sentence when that cannot be told by names
 */
export function changedNames(before: string, after: string): ChangedNames | string {
  const [old, now] = [headerItems(before), headerItems(after)];
  if (!old || !now) return "its braces do not match before preprocessing";
  const { gone, come } = difference(old, now);
  const names = new Map<string, NameKind>();
  const types = new Set<string>();
  const all = (some: readonly string[], kind: NameKind) => {
    for (const name of some) if (names.get(name) !== "macro") names.set(name, kind);
  };

  const defined = new Set(old.flatMap((item) => (isDirective(item) ? [item.name] : [])));
  for (const item of [...gone, ...come].filter(isDirective)) {
    if (item.name === "") return `'${item.text.replace("# ", "#")}' comes or goes`;
    all([item.name], defined.has(item.name) ? "macro" : "new macro");
  }
  const was: Described[] = [];
  const is: Described[] = [];
  for (const [items, side] of [
    [gone, was],
    [come, is],
  ] as const)
    for (const item of items) {
      if (isDirective(item)) continue;
      const described = describe(item);
      if (typeof described === "string") return described;
      side.push(described);
    }
  const inner = (side: readonly Described[]) => side.flatMap(({ macros }) => macros);
  for (const [some, others] of [
    [was, is],
    [is, was],
  ] as const)
    all(membersThatDiffer(inner(some), inner(others)), "macro");

  const existed = new Set(was.flatMap((one) => one.names));
  for (const one of was) {
    if (one.kind === "symbol") all(one.names, "code");
    else if (one.kind === "alias") {
      if (is.some((other) => other.names.some((name) => one.names.includes(name))))
        return `type '${one.names[0]}' changes`;
      all(one.names, "code");
    } else if (one.kind === "type") {
      const [other, second] = is.filter(({ kind, tag }) => kind === "type" && tag === one.tag);
      if (one.tag === "" || second || (other && one.around !== other.around))
        return `${one.tag || "a type without a name"} changes as a whole`;
      if (other) types.add(one.tag);
      all(other ? membersThatDiffer(one.members, other.members) : [one.tag.replace(/^\w+ /, "")], "code");
    }
  }
  for (const one of is) {
    // A plain declaration of something new says nothing about it; attributes add to what others declare.
    if (one.kind === "symbol")
      all(
        one.names.filter((name) => existed.has(name) || one.hasAttributes),
        "code",
      );
  }
  const values = changedEnumerators(was, is);
  if (typeof values === "string") return values;
  all([...values], "value");
  return { names, types };
}

function difference(
  old: readonly HeaderItem[],
  now: readonly HeaderItem[],
): { gone: HeaderItem[]; come: HeaderItem[] } {
  const gone: HeaderItem[] = [];
  const come: HeaderItem[] = [];
  let [at, to] = [0, 0];
  for (const { removed, added, count } of diffArrays(old.map(keyOf), now.map(keyOf))) {
    if (removed) gone.push(...old.slice(at, at + count));
    if (added) come.push(...now.slice(to, to + count));
    if (!added) at += count;
    if (!removed) to += count;
  }
  // Declarations mean the same wherever they stand; macros need not.
  const both = new Set(come.filter((item) => !isDirective(item)).map(keyOf));
  const moved = new Set(gone.map(keyOf).filter((key) => both.has(key)));
  const rest = (side: HeaderItem[]) => side.filter((item) => !moved.has(keyOf(item)));
  return { gone: rest(gone), come: rest(come) };
}

function keyOf({ text, condition }: HeaderItem): string {
  return `${condition}\n${text}`;
}

export function isDirective(item: HeaderItem): item is Directive {
  return item.kind !== "function" && item.kind !== "declaration";
}

/** What a declaration declares. */
export interface Described {
  readonly kind: "symbol" | "type" | "alias" | "enum" | "nothing";
  /** Functions, variables, names of types made by `typedef`. */
  readonly names: readonly string[];
  /** `struct tag`; empty when it has none. */
  readonly tag: string;
  /** Of a struct or union, with all that it holds inside; of an enum its values. */
  readonly members: readonly Member[];
  /** All of a type but what is between its braces. */
  readonly around: string;
  readonly hasAttributes: boolean;
  /** Macros that are defined inside of it, each with its whole definition. */
  readonly macros: readonly Member[];
}

interface Member {
  readonly name: string;
  /** Its declaration; of an enumerator what its value is counted from. */
  readonly text: string;
}

/** @returns a sentence when it cannot be told */
export function describe(item: Declaration): Described | string {
  const { tokens, text } = item;
  const macros = tokens.flatMap((token) => {
    const name = DEFINES.exec(token)?.[1];
    return name === undefined ? [] : [{ name, text: token }];
  });
  const plain = { names: [], tag: "", members: [], around: "", hasAttributes: false, macros };
  const head = outside(tokens);
  const hasAttributes = head.some((word) => /^__/.test(word) && !HARMLESS.has(word));
  if (/^(static_assert|_Static_assert|;)$/.test(tokens[0] ?? "")) return { ...plain, kind: "nothing" };
  if (item.kind === "function") {
    const names = functionNames(head);
    return names ? { ...plain, kind: "symbol", names, hasAttributes } : unclear(text);
  }
  if (tokens[0] === "typedef") {
    if (tokens.includes("{")) return unclear(text);
    const pointed = /\( \* (\w+) \)/.exec(text)?.[1];
    const name = pointed ?? head.filter((word) => /^[A-Za-z_]/.test(word)).at(-1);
    return name === undefined ? unclear(text) : { ...plain, kind: "alias", names: [name] };
  }
  const keyword = tokens.find((word) => !/^(static|const|extern)$/.test(word));
  const brace = tokens.indexOf("{");
  const isAssigned = head.includes("=");
  if (/^(struct|union|enum)$/.test(keyword ?? "") && brace >= 0 && !isAssigned) {
    const close = closing(tokens, brace);
    const tag = tokens[brace - 1] === keyword ? "" : `${keyword} ${tokens[brace - 1]}`;
    const around = [...tokens.slice(0, brace), ...tokens.slice(close + 1)].join(" ");
    const inside = tokens.slice(brace + 1, close);
    const isEnum = keyword === "enum";
    const members = isEnum ? enumeratorsOf(inside) : membersOf(inside);
    if (members === undefined) return unclear(text);
    return { ...plain, kind: isEnum ? "enum" : "type", tag, members, around };
  }
  // `struct name;`
  if (/^(struct|union|enum) \w+ ;$/.test(text)) return { ...plain, kind: "nothing" };
  const names = functionNames(head) ?? variableNames(head);
  return names ? { ...plain, kind: "symbol", names, hasAttributes } : unclear(text);
}

function unclear(text: string): string {
  return `it is not clear what '${text.length > 60 ? `${text.slice(0, 60)}…` : text}' declares`;
}

/** Only read by sparse, or about warnings. */
const HARMLESS = new Set([
  "__rcu",
  "__user",
  "__iomem",
  "__percpu",
  "__force",
  "__must_check",
  "__bitwise",
  "__init",
  "__u8",
  "__u16",
  "__u32",
  "__u64",
  "__s8",
  "__s16",
  "__s32",
  "__s64",
  "__be16",
  "__be32",
  "__be64",
  "__le16",
  "__le32",
  "__le64",
  "__wsum",
  "__sum16",
]);
const KEYWORDS = new Set(
  "auto bool break case char const continue default do double else enum extern float for goto if inline int long register return short signed sizeof static struct switch typedef typeof union unsigned void volatile while".split(
    " ",
  ),
);
/** Stand in front of or behind a function, with arguments. */
const ATTRIBUTES =
  /^__(attribute__|printf|scanf|aligned|acquires?|releases?|must_hold|cond_lock|cond_acquires|alloc_size|malloc|section|diagnose_as|typeof__|no_sanitize|assume_aligned)$/;
/** Tokens that are in no brackets; a pair of brackets leaves its first one, so that a name before it shows. */
function outside(tokens: readonly string[]): string[] {
  const found: string[] = [];
  let depth = 0;
  for (const token of tokens) {
    if ("})]".includes(token)) depth--;
    if (depth === 0 && !token.startsWith("#")) found.push(token);
    if ("{([".includes(token)) depth++;
  }
  return found;
}

/** Names in front of parameters; of attributes with arguments only those that are known. @returns undefined if there is none */
function functionNames(head: readonly string[]): string[] | undefined {
  const called = head.filter((word, index) => head[index + 1] === "(" && /^[A-Za-z_]/.test(word));
  const names = called.filter((word) => !KEYWORDS.has(word) && !ATTRIBUTES.test(word));
  if (names.some((word) => /^[A-Z][A-Z0-9_]*$/.test(word))) return undefined;
  return names.length > 0 ? names : undefined;
}

function variableNames(head: readonly string[]): string[] | undefined {
  if (head.includes("(") || (head.includes("{") && !head.includes("="))) return undefined;
  const at = head.indexOf("=");
  const words = (at < 0 ? head : head.slice(0, at)).join(" ");
  const names = words.split(",").flatMap((part) => {
    const all = part.match(/[A-Za-z_]\w*/g) ?? [];
    // An attribute may stand behind the name.
    const last = all.findLastIndex((word) => !word.startsWith("__"));
    return all.slice(Math.max(last, 0)).filter((word) => !KEYWORDS.has(word));
  });
  return names.length > 0 ? names : undefined;
}

function closing(tokens: readonly string[], open: number): number {
  let depth = 0;
  for (let at = open; at < tokens.length; at++) {
    if ("{([".includes(tokens[at] ?? "")) depth++;
    if ("})]".includes(tokens[at] ?? "") && --depth === 0) return at;
  }
  return tokens.length;
}

const DEFINES = /^# (?:define|undef) (\w+)/;

/** Members in order, those of unnamed structs and unions in their place. */
function membersOf(tokens: readonly string[]): Member[] | undefined {
  const members: Member[] = [];
  const conditions: string[] = [];
  let parts: string[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] ?? "";
    if (token.startsWith("# ")) {
      if (!nest(conditions, token) && !DEFINES.test(token)) return undefined;
      continue;
    }
    if (token === "{") {
      const close = closing(tokens, at);
      const inside = tokens.slice(at + 1, close);
      const isUnnamed = tokens[close + 1] === ";" && parts.at(-1) !== "enum" && parts.length === 1;
      const nested = parts.includes("enum") ? enumeratorsOf(inside) : membersOf(inside);
      if (nested === undefined) return undefined;
      const under = conditions.join(" && ");
      if (isUnnamed) {
        members.push(...nested.map(({ name, text }) => ({ name, text: `${under} ${text}`.trim() })));
        parts = [];
        at = close + 1;
        continue;
      }
      members.push(...nested);
      parts.push("{", ...inside, "}");
      at = close;
      continue;
    }
    if (token === "(") {
      const close = closing(tokens, at);
      let inside = tokens.slice(at + 1, close);
      if (inside.includes(";")) {
        // `struct_group(name, members)` and its kin (include/linux/stddef.h).
        while (inside[1] === ",") inside = inside.slice(2);
        const grouped = membersOf(inside);
        if (grouped === undefined) return undefined;
        members.push(...grouped);
        parts = [];
        at = close + 1;
        continue;
      }
      parts.push(...tokens.slice(at, close + 1));
      at = close;
      continue;
    }
    if (token !== ";") {
      parts.push(token);
      continue;
    }
    const text = parts.join(" ");
    const brace = parts.lastIndexOf("}");
    const names = memberNames(brace < 0 ? text : parts.slice(brace + 1).join(" "));
    if (names.length === 0 && text !== "") return undefined;
    for (const name of names) members.push({ name, text: `${conditions.join(" && ")} ${text}`.trim() });
    parts = [];
  }
  return parts.length === 0 ? members : undefined;
}

function memberNames(text: string): string[] {
  const pointed = /\( \* (?:const )?(\w+)/.exec(text)?.[1];
  if (pointed !== undefined) return [pointed];
  const macro = /^[A-Z_]+ \( (.*) \)$/.exec(text)?.[1];
  return (macro ?? text).split(",").flatMap((part) => {
    const words = part.replace(/ [[:(].*$/, "").match(/[A-Za-z_]\w*/g) ?? [];
    const last = words.findLastIndex((word) => !word.startsWith("__"));
    return macro === undefined ? words.slice(Math.max(last, 0)) : words;
  });
}

/** Each with what its value is counted from. */
function enumeratorsOf(tokens: readonly string[]): Member[] | undefined {
  const members: Member[] = [];
  const conditions: string[] = [];
  let [from, count] = ["0", 0];
  let parts: string[] = [];
  let depth = 0;
  for (const token of [...tokens, ","]) {
    if (token.startsWith("# ")) {
      if (DEFINES.test(token)) continue;
      if (!nest(conditions, token)) return undefined;
      // What is counted from depends on the configuration.
      from += token;
      continue;
    }
    if ("{([".includes(token)) depth++;
    if ("})]".includes(token)) depth--;
    if (token !== "," || depth > 0) {
      parts.push(token);
      continue;
    }
    const [name, ...rest] = parts;
    parts = [];
    if (name === undefined) continue;
    if (rest[0] === "=") [from, count] = [rest.slice(1).join(" "), 0];
    members.push({ name, text: `${from} + ${count++}` });
  }
  return members;
}

/** Names of what the others have not, or otherwise. */
function membersThatDiffer(some: readonly Member[], others: readonly Member[]): string[] {
  const key = ({ name, text }: Member) => `${name}\n${text}`;
  const known = new Set(others.map(key));
  return some.filter((member) => !known.has(key(member))).map(({ name }) => name);
}

/** Enumerators whose value is another, or may be. @returns a sentence when the type that holds them may be another */
function changedEnumerators(was: readonly Described[], is: readonly Described[]): Set<string> | string {
  const values = (side: readonly Described[]) =>
    new Map(
      side
        .filter(({ kind }) => kind === "enum")
        .flatMap(({ members }) => members.map(({ name, text }) => [name, text] as const)),
    );
  const [before, after] = [values(was), values(is)];
  const added = [...after].filter(([name, text]) => before.get(name) !== text);
  const existed = new Set(was.filter(({ kind }) => kind === "enum").map(({ tag }) => tag));
  const isGrown = is.some(
    ({ kind, tag, members }) =>
      kind === "enum" &&
      existed.has(tag) &&
      members.some(({ name, text }) => before.get(name) !== text && /[-~]/.test(text)),
  );
  if (isGrown && added.length > 0) return "an enum gains a value that may be negative";
  const around = (side: readonly Described[]) =>
    new Map(side.filter(({ kind }) => kind === "enum").map((one) => [one.tag, one.around]));
  for (const [tag, text] of around(was))
    if ((around(is).get(tag) ?? text) !== text) return `${tag || "an enum"} changes as a whole`;
  const changed = new Set(
    [...before].filter(([name, text]) => after.get(name) !== text).map(([name]) => name),
  );
  for (let size = -1; size !== changed.size; ) {
    size = changed.size;
    for (const [name, text] of after)
      if (before.has(name) && tokensOf(text).some((word) => changed.has(word))) changed.add(name);
  }
  return changed;
}
