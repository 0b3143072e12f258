import { type Declaration, namesIn, nest } from "./header-items.js";

/** What a declaration declares. */
export interface Declared {
  /** `symbol`: a function or variable; `alias`: by `typedef`; `type`: a struct or union with its members. */
  readonly kind: "symbol" | "alias" | "type" | "enum" | "nothing";
  /** Of symbols and aliases. */
  readonly names: readonly string[];
  /** `struct tag`; empty when it has none. */
  readonly tag: string;
  /** Of a struct or union its members, of those inside of it too; of an enum its values. */
  readonly entries: readonly Entry[];
  /** What of a type is no entry, and attributes of its entries: sizes and offsets do not show alignment. */
  readonly around: string;
  /** Macros that are defined inside of it. */
  readonly macros: readonly Entry[];
}

/** Something that declares names inside of a declaration. */
export interface Entry {
  readonly names: readonly string[];
  /** Two that have the same are the same. */
  readonly text: string;
  /** What an enumerator is counted from. */
  readonly value?: string;
}

/**
 * Understands the usual ways of the kernel's headers to declare something, without preprocessing.
 * @returns a sentence when it is not surely understood
 */
export function declaredBy(item: Declaration): Declared | string {
  const { tokens, text, condition } = item;
  const macros = tokens.flatMap((token) => {
    const [, name] = DEFINES.exec(token) ?? [];
    return name === undefined ? [] : [{ names: [name], text: token }];
  });
  const none = { names: [], tag: "", entries: [], around: "", macros };
  const unclear = `it is not clear what '${text.length > 60 ? `${text.slice(0, 60)}…` : text}' declares`;
  if (/^(;|_?[Ss]tatic_assert .*|(struct|union|enum) \w+ ;)$/.test(text)) return { ...none, kind: "nothing" };
  if (tokens[0] === "typedef") {
    const name = aliasOf(item);
    return name === undefined ? unclear : { ...none, kind: "alias", names: [name] };
  }
  const [head = "", keyword, tag = ""] =
    /^(?:static |extern |const )*(struct|union|enum) (\w+ )?{/.exec(text) ?? [];
  const isAssigned = outside(tokens).includes("=");
  if (keyword === undefined || isAssigned) {
    const names = symbolsOf(item);
    return names === undefined ? unclear : { ...none, kind: "symbol", names };
  }
  const close = tokens.lastIndexOf("}");
  const inside = tokens.slice(tokens.indexOf("{") + 1, close);
  const isEnum = keyword === "enum";
  const entries = isEnum ? enumeratorsOf(inside, condition) : membersOf(inside);
  // But for the header's own guard.
  if (entries === undefined || !(isEnum || isUniform(condition.replace(/^ifndef \w+/, "")))) return unclear;
  const alignment = isEnum ? [] : inside.filter((word) => ATTRIBUTE_OF_MEMBER.test(word));
  return {
    ...none,
    kind: isEnum ? "enum" : "type",
    tag: tag && `${keyword} ${tag.trim()}`,
    entries,
    around: [head, ...alignment, ...tokens.slice(close)].join(" "),
  };
}

/** Of a member; not those that only sparse reads, nor names of types. */
const ATTRIBUTE_OF_MEMBER =
  /^(?:_{2,}(?!(?:rcu|user|iomem|percpu|force|[us](?:8|16|32|64)|[bl]e(?:16|32|64)|wsum|sum16)$)\w+|# (?:if|el|endif).*)$/;
const DEFINES = /^# (?:define|undef) (\w+)/;
const KEYWORDS = new Set(
  "auto bool break case char const continue default do double else enum extern float for goto if inline int long register return short signed sizeof static struct switch typedef typeof union unsigned void volatile while".split(
    " ",
  ),
);
/** Stand in front of or behind a function, with arguments; they are no names of functions. */
const ATTRIBUTES =
  /^__(attribute__|printf|scanf|aligned|acquires?|releases?|must_hold|cond_lock|cond_acquires|alloc_size|malloc|section|diagnose_as|no_sanitize|assume_aligned)$/;

function isName(word: string): boolean {
  return /^[A-Za-z_]/.test(word) && !KEYWORDS.has(word);
}

/** Tokens that are in no brackets; of a pair of brackets the first stays, so that a name before it shows. */
function outside(tokens: readonly string[]): string[] {
  const found: string[] = [];
  let depth = 0;
  for (const token of tokens) {
    if ("})]".includes(token)) depth--;
    else if (depth === 0 && !token.startsWith("#")) found.push(token);
    if ("{([".includes(token)) depth++;
  }
  return found;
}

function aliasOf({ tokens, text }: Declaration): string | undefined {
  const head = outside(tokens);
  if (/[{,]|__attribute__|__aligned/.test(head.join(" "))) return undefined;
  return /\( \* (\w+) \)/.exec(text)?.[1] ?? head.filter(isName).at(-1);
}

/** @returns undefined also for what may be a macro's use */
function symbolsOf({ tokens, text }: Declaration): string[] | undefined {
  const head = outside(tokens).join(" ");
  if (!head.includes("(")) return variablesOf(head);
  // Attributes, words of the type, the name, parameters, attributes. Nothing is assigned.
  const [, type = "", name = "", behind = ""] =
    /^((?:(?:\w+|\*) |__\w+ \( )*)(\w+) \( ((?:\w+ |__\w+ \( )*)[;{]$/.exec(head) ?? [];
  const hasType = type.replaceAll(/__\w+ \( /g, "").trim() !== "";
  if (!hasType || !isName(name) || ATTRIBUTES.test(name) || /^[A-Z][A-Z0-9_]*$/.test(name)) return undefined;
  // `type (*name)`
  if (text.includes(`${name} ( *`)) return undefined;
  return [name, ...behind.split(" ").filter((word) => isName(word) && !word.startsWith("__"))];
}

function variablesOf(head: string): string[] | undefined {
  const [, declared] = /^(?:extern|static) ([^=]*?) (?:;|= [^,]*;)$/.exec(head) ?? [];
  return declared?.split(",").flatMap((part) => {
    return nameAtEnd(part.split(" "));
  });
}

/** Of a declarator its name, and the attributes that may stand behind it. */
function nameAtEnd(words: readonly string[]): string[] {
  const names = words.filter(isName);
  const at = names.findLastIndex((word) => !word.startsWith("__"));
  return names.slice(Math.max(at, 0));
}

/** Members of a struct or union, and of those inside of it. Where they are, debug information tells. */
function membersOf(tokens: readonly string[]): Entry[] | undefined {
  const directives = tokens.filter((token) => token.startsWith("# "));
  if (!directives.every((one) => DEFINES.test(one) || isUniform(one))) return undefined;
  const plain = tokens.filter((token) => !token.startsWith("# ")).join(" ");
  if (/\benum (\w+ )?{/.test(plain)) return undefined;
  return plain.split(/[;{}]/).map((text) => ({ text: text.trim(), names: memberNames(text.trim()) }));
}

/** Whether a condition is the same for all units of a kernel. */
function isUniform(condition: string): boolean {
  return namesIn(condition).every((word) => UNIFORM.test(word));
}

const UNIFORM =
  /^(?:if|ifdef|ifndef|elif|else|endif|after|defined|CONFIG_\w+|IS_ENABLED|IS_BUILTIN|BITS_PER_LONG|__(?:BIG|LITTLE)_ENDIAN(?:_BITFIELD)?|__KERNEL__|__ASSEMBLY__)$/;

function memberNames(text: string): string[] {
  const [, pointer] = /^[^(]*\( \* (?:const )?(\w+) \)/.exec(text) ?? [];
  if (pointer !== undefined) return [pointer];
  // Such as a group of members (`struct_group`, include/linux/stddef.h).
  if (text.includes("(")) return text.split(" ").filter(isName);
  return text.split(",").flatMap((part) => {
    return nameAtEnd(part.replace(/ [[:].*$/, "").split(" "));
  });
}

function enumeratorsOf(tokens: readonly string[], condition: string): Entry[] | undefined {
  const entries: Entry[] = [];
  const conditions = [condition];
  let [value, count, under] = ["0", 0, condition];
  let parts: string[] = [];
  let depth = 0;
  for (const token of [...tokens, ","]) {
    if (token.startsWith("# ")) {
      if (DEFINES.test(token)) continue;
      if (!nest(conditions, token)) return undefined;
      // Whether what comes before counts depends on the configuration.
      under += token;
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
    if (rest[0] === "=") [value, count, under] = [rest.slice(1).join(" "), 0, conditions.join(" ")];
    else if (rest.length > 0) return undefined;
    entries.push({
      names: [name],
      value,
      text: `${name} = ${value} + ${count++} under ${under} ${conditions.join(" ")}`,
    });
  }
  return entries;
}
