import { withTree } from "../syntax/engine.js";
import type { Engine, Stretch, SyntaxNode } from "../syntax/tree.js";
import type { Use } from "./tree-facts.js";

/** A use within one file. */
export type FileUse = Omit<Use, "file" | "inPatch">;

/**
 * Every use of some names in a file; comments and strings are left out. Only the functions and declarations around them
 * are parsed where these can be read by themselves.
 * @param names identifiers
 * @param more further ones
 * @returns by name, in the order of the text. A name's use as a value is said to be an `address`: whether it is a function's
 *   the caller knows
 * @throws Fault as `Engine.parse`
 */
export function usesInFile(
  engine: Engine,
  text: string,
  names: ReadonlySet<string>,
  more: ReadonlySet<string> = new Set(),
): Map<string, FileUse[]> {
  const places = placesOf(text, (name) => names.has(name) || more.has(name));
  const parts = partsAround(text, places);
  const inParts = parts && usesInParts(engine, text, places, parts);
  return byName(
    inParts ?? withTree(engine, text, ({ root }) => places.map((place) => useOf(root, place, text))),
    places,
  );
}

/** Where a name stands in the text. */
interface NamePlace {
  readonly name: string;
  readonly index: number;
  readonly line: number;
  readonly column: number;
}

function placesOf(text: string, isWanted: (name: string) => boolean): NamePlace[] {
  const places: NamePlace[] = [];
  let [line, lineStart] = [1, 0];
  for (const { 0: name, index } of text.matchAll(/[A-Za-z_]\w*/g)) {
    if (!isWanted(name)) continue;
    for (
      let end = text.indexOf("\n", lineStart);
      end !== -1 && end < index;
      end = text.indexOf("\n", lineStart)
    ) {
      line++;
      lineStart = end + 1;
    }
    places.push({ name, index, line, column: index - lineStart + 1 });
  }
  return places;
}

/** Beyond so many, or so much of the text, the file is parsed as a whole. */
const MOST_PARTS = 20;
const LARGEST_SHARE = 0.5;

/** Parts of the text around the places: from behind one line that starts with a brace up to the next such line. */
function partsAround(text: string, places: readonly NamePlace[]): Stretch[] | undefined {
  const parts: Stretch[] = [];
  const closing = /^\}.*\n/gm;
  let [start, startRow, length] = [0, 0, 0];
  let next = 0;
  while (next < places.length) {
    const match = closing.exec(text);
    const end = match ? match.index + match[0].length : text.length;
    let rows = 0;
    for (let at = text.indexOf("\n", start); at !== -1 && at < end; at = text.indexOf("\n", at + 1)) rows++;
    const first = next;
    while (next < places.length && (places[next]?.index ?? 0) < end) next++;
    if (next > first) {
      length += end - start;
      if (parts.length === MOST_PARTS || length > text.length * LARGEST_SHARE) return undefined;
      const endColumn = match ? 0 : end - (text.lastIndexOf("\n", end - 1) + 1);
      parts.push({
        startIndex: start,
        endIndex: end,
        startPosition: { row: startRow, column: 0 },
        endPosition: { row: startRow + rows, column: endColumn },
      });
    }
    [start, startRow] = [end, startRow + rows];
    if (!match) break;
  }
  return parts;
}

/** @returns undefined when a part cannot be read by itself: an `#if` may reach beyond it */
function usesInParts(
  engine: Engine,
  text: string,
  places: readonly NamePlace[],
  parts: readonly Stretch[],
): (Found | undefined)[] | undefined {
  const found: (Found | undefined)[] = [];
  for (const part of parts) {
    const tree = engine.parse(text, undefined, part);
    try {
      if (tree.root.hasError) return undefined;
      for (; (places[found.length]?.index ?? Number.POSITIVE_INFINITY) < part.endIndex; ) {
        const place = places[found.length];
        if (place) found.push(useOf(tree.root, place, text));
      }
    } finally {
      tree.free();
    }
  }
  return found;
}

/** What a parameter or variable of the same name stands for instead. */
const HIDEABLE: ReadonlySet<Use["kind"]> = new Set(["call", "address"]);

function byName(found: readonly (Found | undefined)[], places: readonly NamePlace[]): Map<string, FileUse[]> {
  /** Names that are a parameter's or a local variable's, with the function they are in. */
  const hidden = new Set<string>();
  for (const [at, use] of found.entries())
    if (use?.local !== undefined) hidden.add(`${use.local} ${places[at]?.name}`);
  const uses = new Map<string, FileUse[]>();
  for (const [at, use] of found.entries()) {
    const place = places[at];
    if (use === undefined || place === undefined) continue;
    const { name, line, column } = place;
    const { local: _, ...told } = use;
    const isHidden = HIDEABLE.has(told.kind) && hidden.has(`${told.within} ${name}`);
    const all = uses.get(name) ?? [];
    all.push({ line, column, ...told, ...(isHidden && { kind: "other" }) });
    uses.set(name, all);
  }
  return uses;
}

type Told = Omit<FileUse, "line" | "column">;
/** `local`: the function whose parameter or variable the name declares. */
type Found = Told & { readonly local?: string };
const UNREAD: Told = { kind: "unread" };

/** What is no use at all. */
const TEXT =
  /^(?:comment|string_content|string_literal|char_literal|character|escape_sequence|system_lib_string)$/;
/** Macros that name a function without calling it or keeping its address. */
const MARKS = /^_*EXPORT_|^(?:NOKPROBE_SYMBOL|ALLOW_ERROR_INJECTION|BTF_ID|BTF_ID_FLAGS|MODULE_ALIAS)$/;

/** @returns undefined for what is no use at all */
function useOf(root: SyntaxNode, { name, index }: NamePlace, text: string): Found | undefined {
  const leaf = root.descendantForIndex(index, index + name.length - 1);
  if (!leaf) return UNREAD;
  if (TEXT.test(leaf.type)) return undefined;
  const above: SyntaxNode[] = [];
  for (let node = leaf.parent; node; node = node.parent) above.push(node);
  if (leaf.isError || above.some((node) => node.isError)) return UNREAD;
  const owner = above.find((node) => OWNERS.has(node.type));
  const within = owner && nameOfOwner(owner);
  const inside = within === undefined ? {} : { within };
  if (leaf.type === "preproc_arg") {
    // The body of a macro is not parsed.
    const isCall = /^\s*\(/.test(text.slice(index + name.length, index + name.length + 80));
    const isMember = /(?:\.|->)\s*$/.test(text.slice(Math.max(0, index - 20), index));
    const spelled = leaf.text;
    if (isInLiteral(spelled, index - leaf.startIndex)) return undefined;
    return { kind: isMember ? "other" : isCall ? "call" : "address", ...inside };
  }
  const told = kindOf(leaf, above, owner, within);
  return { ...told, ...(owner && isHead(owner, leaf) && told.kind === "definition" ? {} : inside) };
}

const OWNERS = new Set([
  "function_definition",
  "macro_function_definition",
  "preproc_def",
  "preproc_function_def",
]);

function kindOf(
  leaf: SyntaxNode,
  above: readonly SyntaxNode[],
  owner: SyntaxNode | undefined,
  within: string | undefined,
): Found {
  const [parent] = above;
  if (!parent) return { kind: "other" };
  if (parent.type.startsWith("preproc_")) {
    const defines = parent.type === "preproc_def" || parent.type === "preproc_function_def";
    return { kind: defines && same(parent.childForFieldName("name"), leaf) ? "definition" : "other" };
  }
  if (leaf.type === "type_identifier") {
    if (/^(?:struct|union|enum)_specifier$/.test(parent.type)) {
      if (parent.childForFieldName("body")) return { kind: "definition" };
      return { kind: isAlone(parent, above[1]) ? "declaration" : "type" };
    }
    return {
      kind:
        parent.type === "type_definition" && !same(parent.childForFieldName("type"), leaf)
          ? "definition"
          : "type",
    };
  }
  if (leaf.type !== "identifier") return { kind: "other" };
  if (parent.type === "enumerator")
    return { kind: same(parent.childForFieldName("name"), leaf) ? "definition" : "other" };
  if (parent.type === "macro_function_definition") return { kind: "other" };

  const declared = declaration(leaf, above);
  if (declared) {
    if (owner && within !== undefined && !isHead(owner, leaf)) return { kind: "other", local: within };
    return { kind: declared };
  }
  if (parent.type === "call_expression" && same(parent.childForFieldName("function"), leaf))
    return { kind: "call" };
  if (
    /^macro_(?:statement|declaration|field)$/.test(parent.type) &&
    same(parent.childForFieldName("name"), leaf)
  )
    return { kind: "call" };
  const value = valueAround(leaf, above);
  const target = value.argumentOf;
  if (target !== undefined && MARKS.test(target)) return { kind: "other", ...value };
  // The first argument of DEFINE_MUTEX(lock) and its like is what they define.
  if (value.isDefined) return { kind: "definition" };
  const { isDefined: _, ...told } = value;
  return { kind: "address", ...told };
}

/** Whether the identifier is what a declaration declares. */
function declaration(
  leaf: SyntaxNode,
  above: readonly SyntaxNode[],
): "definition" | "declaration" | undefined {
  let node = leaf;
  let isFunction = false;
  let isPointer = false;
  for (const parent of above) {
    if (/_declarator$/.test(parent.type)) {
      if (!same(parent.childForFieldName("declarator"), node) && !parent.type.startsWith("parenthesized"))
        return undefined;
      if (parent.type === "function_declarator" && !isPointer) isFunction = true;
      if (parent.type === "pointer_declarator" && !isFunction) isPointer = true;
    } else if (parent.type === "function_definition") {
      return same(parent.childForFieldName("declarator"), node) ? "definition" : undefined;
    } else if (parent.type === "declaration") {
      if (same(parent.childForFieldName("type"), node)) return undefined;
      const isExtern = parent.children.some(
        (child) => child.type === "storage_class_specifier" && child.text === "extern",
      );
      return isExtern || isFunction ? "declaration" : "definition";
    } else if (parent.type === "parameter_declaration") {
      return same(parent.childForFieldName("type"), node) ? undefined : "definition";
    } else if (parent.type !== "attributed_declarator") {
      return undefined;
    }
    node = parent;
  }
  return undefined;
}

/** What a value goes to, directly or behind `&` and casts. */
function valueAround(
  leaf: SyntaxNode,
  above: readonly SyntaxNode[],
): { argumentOf?: string; member?: string; isDefined?: true } {
  let node = leaf;
  for (const [depth, parent] of above.entries()) {
    switch (parent.type) {
      case "pointer_expression":
      case "parenthesized_expression":
      case "cast_expression":
      case "conditional_expression":
        break;
      case "argument_list": {
        const call = above[depth + 1];
        const name = call?.childForFieldName("function") ?? call?.childForFieldName("name");
        const isFirst = same(parent.namedChildren[0] ?? null, node);
        const defines = call?.type === "macro_declaration" && isFirst && node === leaf;
        return {
          ...(name ? { argumentOf: lastName(name) } : {}),
          ...(defines ? { isDefined: true as const } : {}),
        };
      }
      case "initializer_pair": {
        const designator = parent.childForFieldName("designator");
        return designator && !same(designator, node)
          ? { member: designator.text.replace(/^\./, "").trim() }
          : {};
      }
      case "assignment_expression": {
        const left = parent.childForFieldName("left");
        if (!left || same(left, node) || left.type !== "field_expression") return {};
        return { member: lastName(left) };
      }
      default:
        return {};
    }
    node = parent;
  }
  return {};
}

/** `f` of `f`, `read` of `ops->read`. */
function lastName(node: SyntaxNode): string {
  return (node.childForFieldName("field") ?? node).text.slice(0, 200);
}

/** `struct foo;` alone. */
function isAlone(specifier: SyntaxNode, parent: SyntaxNode | undefined): boolean {
  return (
    parent?.type === "translation_unit" ||
    parent?.type.startsWith("preproc_if") === true ||
    (parent?.type === "declaration" &&
      parent.namedChildren.length === 1 &&
      same(parent.namedChildren[0] ?? null, specifier))
  );
}

function isHead(owner: SyntaxNode, leaf: SyntaxNode): boolean {
  if (owner.type !== "function_definition") return same(owner.childForFieldName("name"), leaf);
  return same(declaredName(owner), leaf);
}

/** The name that a function's definition declares. */
function declaredName(definition: SyntaxNode): SyntaxNode | undefined {
  let node = definition.childForFieldName("declarator");
  for (let depth = 0; node && depth < 20; depth++) {
    if (node.type === "identifier") return node;
    node =
      node.childForFieldName("declarator") ??
      node.namedChildren.find((child) => /identifier$|_declarator$/.test(child.type)) ??
      null;
  }
  return undefined;
}

/** Of a system call the name that the kernel's tables use. */
function nameOfOwner(owner: SyntaxNode): string | undefined {
  if (owner.type === "function_definition") return declaredName(owner)?.text;
  const name = owner.childForFieldName("name")?.text;
  if (owner.type !== "macro_function_definition" || name === undefined) return name;
  const first = owner.namedChildren.find(({ type }) => type === "argument_list")?.namedChildren[0]?.text;
  const call = /^(COMPAT_)?SYSCALL(?:32)?_DEFINE/.exec(name);
  if (first === undefined) return name;
  return call ? `${call[1] ? "compat_" : ""}sys_${first}` : first;
}

/** Whether an offset of a macro's body lies in a literal or a comment. */
function isInLiteral(body: string, offset: number): boolean {
  const piece = /\/\*[\s\S]*?(?:\*\/|$)|\/\/[^\n]*|"(?:\\[\s\S]|[^"\\])*"?|'(?:\\[\s\S]|[^'\\])*'?/g;
  for (const match of body.matchAll(piece)) {
    if (match.index > offset) return false;
    if (offset < match.index + match[0].length) return true;
  }
  return false;
}

const same = (a: SyntaxNode | null | undefined, b: SyntaxNode) =>
  a !== null && a !== undefined && a.id === b.id;
