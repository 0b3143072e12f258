import type { SyntaxNode } from "../syntax/tree.js";
import type { Element, Item, Member } from "./item.js";
import { normalForm } from "./tokens.js";

/** An item without what depends on where it stands: `line`s of members and elements are offsets in the file's text. */
export type Description = DistributiveOmit<Item, "file" | "line" | "endLine" | "conditions" | "kept">;
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** What a member or element needs of the file around it. */
export interface Surroundings {
  /** Counts from 1. */
  lineAt(offset: number): number;
  kept(line: number): Item["kept"];
}

/** The nodes that hold other items instead of being one. */
export const CONTAINERS = new Set([
  "preproc_if",
  "preproc_ifdef",
  "preproc_else",
  "preproc_elif",
  "preproc_elifdef",
  "linkage_specification",
  "declaration_list",
]);

/**
 * What a node at the top level of a file declares.
 * @param node no container
 * @param text the file's text
 * @param end where the item ends, when annotations behind the node belong to it
 */
export function describe(node: SyntaxNode, text: string, end: number, around: Surroundings): Description[] {
  const reader = new Reader(text, around);
  const base = {
    start: node.startIndex,
    end,
    nameStart: node.startIndex,
    nameEnd: node.endIndex,
    tokens: normalForm(text.slice(node.startIndex, end)),
  };
  switch (node.type) {
    case "function_definition":
      return [reader.function(node, base)];
    case "macro_function_definition":
      return [reader.macroFunction(node, base)];
    case "declaration":
      return reader.declaration(node, base);
    case "macro_declaration":
      return [reader.macroDeclaration(node, base)];
    case "struct_specifier":
    case "union_specifier":
    case "enum_specifier":
      // Without a body it only announces the name.
      return node.childForFieldName("body") ? [reader.type(node, base)] : [];
    case "type_definition":
      return reader.typedef(node, base);
    case "preproc_def":
    case "preproc_function_def":
      return [reader.macro(node, base)];
    case "preproc_include":
      return [{ ...base, kind: "include", name: reader.normal(node.childForFieldName("path") ?? node) }];
    case "expression_statement":
      return base.tokens === ";" ? [] : [reader.call(node, base)];
    case "macro_statement":
    case "call_expression":
      return [reader.call(node, base)];
    case "ERROR":
      return [{ ...base, kind: "unread", name: base.tokens.slice(0, 60) }];
    default:
      return [{ ...base, kind: "other", name: base.tokens }];
  }
}

/** Macros that declare or define a variable (include/linux/percpu-defs.h, workqueue.h, wait.h, completion.h, rwsem.h, types.h). */
const DEFINING =
  /^DECLARE_(?:PER_CPU\w*|(?:DELAYED_|DEFERRABLE_)?WORK|WAIT_QUEUE_HEAD|COMPLETION|RWSEM|BITMAP|TASKLET\w*)$/;
/** Macros that declare something at file scope and define nothing there. */
const DECLARING = /^(?:DECLARE|TRACE|EXPORT|MODULE)_|^DEFINE_(?:EVENT|TRACE)|_EVENT(?:_|$)/;
const TAGGED = new Set(["struct_specifier", "union_specifier", "enum_specifier"]);
const ANNOTATION = new Set([
  "annotation",
  "attribute_specifier",
  "attribute_declaration",
  "ms_call_modifier",
]);
const DECLARATORS = new Set([
  "pointer_declarator",
  "function_declarator",
  "array_declarator",
  "parenthesized_declarator",
  "attributed_declarator",
  "init_declarator",
  "abstract_pointer_declarator",
  "abstract_function_declarator",
  "abstract_array_declarator",
  "abstract_parenthesized_declarator",
]);
const NAMES = new Set(["identifier", "field_identifier", "type_identifier"]);

type Base = Pick<Description, "start" | "end" | "nameStart" | "nameEnd" | "tokens">;

class Reader {
  readonly #text: string;
  readonly #around: Surroundings;

  constructor(text: string, around: Surroundings) {
    this.#text = text;
    this.#around = around;
  }

  normal(node: SyntaxNode): string {
    return normalForm(this.#text.slice(node.startIndex, node.endIndex));
  }

  function(node: SyntaxNode, base: Base): Description {
    const declarator = node.childForFieldName("declarator") ?? node;
    const name = innermostName(declarator);
    const body = node.childForFieldName("body");
    const annotations = this.#annotations(node, name);
    return {
      ...base,
      ...span(name),
      kind: "function",
      name: name ? this.#raw(name) : this.normal(declarator),
      annotations,
      isStatic: annotations.includes("static"),
      isInline: annotations.some((word) => INLINE.test(word)),
      ...this.#signature(node, declarator),
      body: body ? this.normal(body) : "",
      bodyStart: body ? body.startIndex : base.end,
    };
  }

  macroFunction(node: SyntaxNode, base: Base): Description {
    const macro = node.childForFieldName("name");
    const list = node.childForFieldName("arguments");
    const [first, ...rest] = (list?.namedChildren ?? []).filter((child) => child.type !== "comment");
    const body = node.childForFieldName("body");
    const annotations = this.#annotations(node, undefined);
    // The same system call, by the macros for patches (kernel/runtime/include/hotpatch.h, kpatch, klp-build).
    const macroName = macro
      ? this.#raw(macro).replace(/^(?:HOTPATCH|KPATCH|KLP)_(?=SYSCALL_DEFINE)/, "")
      : "";
    const isCall = /DEFINE\d?x?$|^(?:BPF_CALL|SYSCALL)/.test(macroName);
    const bare = first ? this.normal(first) : "";
    return {
      ...base,
      ...span(first ?? macro ?? undefined),
      kind: "function",
      name: systemCallName(macroName, bare),
      macro: macroName,
      annotations,
      isStatic: annotations.includes("static"),
      isInline: false,
      returns: isCall ? "long" : "",
      // SYSCALL_DEFINE takes type and name in turns (include/linux/syscalls.h, __MAP).
      parameters: isCall
        ? rest.filter((_, at) => at % 2 === 0).map((child) => this.#typeOnly(child, undefined))
        : rest.map((child) => this.normal(child)),
      body: body ? this.normal(body) : "",
      bodyStart: body ? body.startIndex : base.end,
    };
  }

  declaration(node: SyntaxNode, base: Base): Description[] {
    const type = node.childForFieldName("type");
    const found: Description[] = [];
    if (type && TAGGED.has(type.type) && type.childForFieldName("body"))
      found.push(
        this.type(type, { ...base, start: type.startIndex, end: type.endIndex, tokens: this.normal(type) }),
      );
    const declarators = node.children.filter((child, at) => isDeclarator(node, child, at, type));
    for (const declarator of declarators) found.push(this.#declared(node, declarator, base));
    if (found.length === 0) return [{ ...base, kind: "other", name: base.tokens }];
    return found;
  }

  #declared(node: SyntaxNode, declarator: SyntaxNode, base: Base): Description {
    const inner =
      declarator.type === "init_declarator"
        ? (declarator.childForFieldName("declarator") ?? declarator)
        : declarator;
    const name = innermostName(inner);
    const annotations = this.#annotations(node, name);
    const common = { ...base, ...span(name), name: name ? this.#raw(name) : this.normal(inner), annotations };
    if (declarator.type !== "init_declarator" && isFunctionDeclarator(inner))
      return { ...common, kind: "prototype", ...this.#signature(node, inner) };
    const type = node.childForFieldName("type");
    const value = declarator.type === "init_declarator" ? declarator.childForFieldName("value") : null;
    const written = this.#declaredType(node, inner, name);
    const struct = type && TAGGED.has(type.type) ? type.childForFieldName("name") : null;
    return {
      ...common,
      tokens: `${[...annotations, written].join(" ")} ${common.name}${value ? ` = ${this.normal(value)}` : ""}`,
      kind: "data",
      isStatic: annotations.includes("static"),
      isExtern: annotations.includes("extern") && !value,
      // Behind the last `*`: of `const char *` the characters are constant, the pointer is not.
      isConst: /\bconst\b/.test(written.slice(written.lastIndexOf("*") + 1)),
      isPerCpu: false,
      type: written,
      ...(struct && { struct: this.#raw(struct) }),
      ...(value && { initial: this.normal(value) }),
      elements: value?.type === "initializer_list" ? this.#elements(value) : [],
    };
  }

  macroDeclaration(node: SyntaxNode, base: Base): Description {
    const macro = node.childForFieldName("name");
    const macroName = macro ? this.#raw(macro) : "";
    const list = (node.childForFieldName("arguments")?.namedChildren ?? []).filter(
      (child) => child.type !== "comment",
    );
    if (DECLARING.test(macroName) && !DEFINING.test(macroName)) return this.call(node, base);
    // DEFINE_PER_CPU(int, x): the type stands first (include/linux/percpu-defs.h); elsewhere the name does.
    const typeFirst = list[0]?.type === "type_descriptor" || /PER_CPU|^DEFINE_(?:K)?FIFO/.test(macroName);
    const name = (typeFirst ? list[1] : list[0]) ?? macro ?? node;
    const value = node.childForFieldName("value");
    const annotations = this.#annotations(node, undefined);
    return {
      ...base,
      ...span(name),
      kind: "data",
      name: innermostText(name, this.#text),
      macro: macroName,
      annotations,
      isStatic: annotations.includes("static"),
      isExtern: macroName.startsWith("DECLARE_PER_CPU") || annotations.includes("extern"),
      isConst: false,
      isPerCpu: macroName.includes("PER_CPU"),
      type: list.map((child) => this.normal(child)).join(" , "),
      ...(value && { initial: this.normal(value) }),
      elements: value?.type === "initializer_list" ? this.#elements(value) : [],
    };
  }

  /** @param node with a body; @param fallback its name when it has no tag */
  type(node: SyntaxNode, base: Base, fallback = ""): Description {
    const keyword =
      node.type === "struct_specifier" ? "struct" : node.type === "union_specifier" ? "union" : "enum";
    const name = node.childForFieldName("name");
    const body = node.childForFieldName("body") ?? node;
    const members = keyword === "enum" ? this.#enumerators(body) : this.#members(body);
    // Of a type by itself, not of a typedef's or a variable's.
    const end = base.start === node.startIndex ? base.end : node.endIndex;
    const behind = normalForm(this.#text.slice(node.endIndex, end));
    const annotations = node.children
      .filter((child) => ANNOTATION.has(child.type))
      .map((child) => this.normal(child));
    return {
      ...base,
      ...span(name ?? undefined),
      kind: "type",
      name: name ? `${keyword} ${this.#raw(name)}` : fallback || `${keyword} { ${members[0]?.name ?? ""}`,
      keyword,
      members,
      annotations: behind === "" ? annotations : [...annotations, behind],
    };
  }

  typedef(node: SyntaxNode, base: Base): Description[] {
    const type = node.childForFieldName("type");
    const declarators = node.children.filter((child, at) => isDeclarator(node, child, at, type));
    const names = declarators
      .map((declarator) => innermostName(declarator))
      .filter((name) => name !== undefined);
    const [first] = names;
    const hasBody = type !== null && TAGGED.has(type.type) && type.childForFieldName("body") !== null;
    const described: Description[] = hasBody
      ? [this.type(type, { ...base, ...span(first) }, first ? this.#raw(first) : "")]
      : [];
    if (hasBody && !type.childForFieldName("name")) return described;
    for (const name of names) {
      const tokens = hasBody
        ? `typedef ${this.normal(type.childForFieldName("name") ?? type)} ${this.#raw(name)}`
        : base.tokens;
      described.push({ ...base, ...span(name), tokens, kind: "typedef", name: this.#raw(name) });
    }
    return described.length > 0 ? described : [{ ...base, kind: "other", name: base.tokens }];
  }

  macro(node: SyntaxNode, base: Base): Description {
    const name = node.childForFieldName("name");
    const parameters = node.childForFieldName("parameters");
    const value = node.childForFieldName("value");
    return {
      ...base,
      ...span(name ?? undefined),
      kind: "macro",
      name: name ? this.#raw(name) : base.tokens,
      ...(parameters && {
        parameters: this.normal(parameters)
          .split(" ")
          .filter((token) => /\w|\.\.\./.test(token)),
      }),
      body: value ? this.normal(value) : "",
    };
  }

  call(node: SyntaxNode, base: Base): Description {
    const call = node.type === "expression_statement" ? (node.namedChildren[0] ?? node) : node;
    const callee = call.childForFieldName("function") ?? call.childForFieldName("name");
    const list = call.childForFieldName("arguments");
    if (call.type === "gnu_asm_expression")
      return { ...base, kind: "assembly", name: base.tokens.slice(0, 60) };
    if (!callee || !list) return { ...base, kind: "other", name: base.tokens };
    const given = list.namedChildren.filter((child) => child.type !== "comment");
    const macro = this.normal(callee);
    const first = given[0];
    return {
      ...base,
      ...span(callee),
      kind: "call",
      name: `${macro}(${first ? this.normal(first) : ""})`,
      macro,
      arguments: given.map((child) => this.normal(child)),
    };
  }

  #members(body: SyntaxNode): Member[] {
    const members: Member[] = [];
    for (const child of body.namedChildren) {
      if (CONTAINERS.has(child.type)) members.push(...this.#members(child));
      else if (
        child.type === "field_declaration" ||
        child.type === "macro_field" ||
        child.type === "field_group"
      )
        members.push(...this.#member(child));
      else if (child.type === "preproc_skipped" || child.type === "ERROR")
        members.push(this.#memberOf(child, "", this.normal(child)));
    }
    return members;
  }

  #member(node: SyntaxNode): Member[] {
    if (node.type !== "field_declaration") {
      const list = node.childForFieldName("arguments")?.namedChildren ?? [];
      const named = list.find((child) => child.type === "identifier");
      return [this.#memberOf(node, named ? this.#raw(named) : "", this.normal(node))];
    }
    const type = node.childForFieldName("type");
    const children = node.children;
    const declarators = children.filter((child, at) => isDeclarator(node, child, at, type));
    if (declarators.length === 0) return [this.#memberOf(node, "", this.normal(node).replace(/ ;$/, ""))];
    const first = declarators[0]?.startIndex ?? node.endIndex;
    const prefix = normalForm(this.#text.slice(node.startIndex, first));
    return declarators.map((declarator, at) => {
      // What stands behind a declarator up to the next one: a bit-field's width, annotations.
      const end = declarators[at + 1]?.startIndex ?? node.endIndex;
      const own = normalForm(this.#text.slice(declarator.startIndex, end)).replace(/ ?[,;]$/, "");
      const name = innermostName(declarator);
      return this.#memberOf(declarator, name ? this.#raw(name) : "", `${prefix} ${own}`);
    });
  }

  #enumerators(body: SyntaxNode): Member[] {
    const members: Member[] = [];
    for (const child of body.namedChildren) {
      if (CONTAINERS.has(child.type)) members.push(...this.#enumerators(child));
      else if (child.type === "enumerator") {
        const name = child.childForFieldName("name");
        const value = child.childForFieldName("value");
        members.push(this.#memberOf(child, name ? this.#raw(name) : "", value ? this.normal(value) : ""));
      } else if (
        child.type === "macro_enumerator" ||
        child.type === "preproc_skipped" ||
        child.type === "ERROR"
      )
        members.push(this.#memberOf(child, "", this.normal(child)));
    }
    return members;
  }

  #memberOf(node: SyntaxNode, name: string, tokens: string): Member {
    const line = this.#around.lineAt(node.startIndex);
    return { name, tokens, line, kept: this.#around.kept(line) };
  }

  #elements(list: SyntaxNode): Element[] {
    const elements: Element[] = [];
    const condition = conditionOf(list);
    for (const child of list.namedChildren) {
      if (child.type === "comment" || child.id === condition?.id) continue;
      if (CONTAINERS.has(child.type)) {
        elements.push(...this.#elements(child));
        continue;
      }
      const line = this.#around.lineAt(child.startIndex);
      const value = child.type === "initializer_pair" ? child.childForFieldName("value") : null;
      if (value)
        elements.push({
          designator: normalForm(this.#text.slice(child.startIndex, value.startIndex))
            .replace(/ ?[=:]$/, "")
            .replace(/^\. /, "."),
          value: this.normal(value),
          line,
          kept: this.#around.kept(line),
        });
      else elements.push({ designator: "", value: this.normal(child), line, kept: this.#around.kept(line) });
    }
    return elements;
  }

  #signature(node: SyntaxNode, declarator: SyntaxNode): { returns: string; parameters: string[] } {
    const type = node.childForFieldName("type");
    let stars = "";
    let at: SyntaxNode | null = declarator;
    while (at && at.type !== "function_declarator") {
      if (at.type === "pointer_declarator") stars += " *";
      at =
        at.childForFieldName("declarator") ??
        at.namedChildren.find((child) => DECLARATORS.has(child.type)) ??
        null;
    }
    const qualifiers = node.children
      .filter((child) => child.type === "type_qualifier")
      .map((child) => this.normal(child));
    const list = at?.childForFieldName("parameters");
    const given = (list?.namedChildren ?? []).filter(
      (child) => child.type !== "comment" && !ANNOTATION.has(child.type),
    );
    const parameters = given.map((child) =>
      this.#typeOnly(child, innermostName(child.childForFieldName("declarator") ?? undefined)),
    );
    return {
      returns: `${[...qualifiers, type ? this.normal(type) : "int"].join(" ")}${stars}`,
      parameters: parameters.length === 1 && parameters[0] === "void" ? [] : parameters,
    };
  }

  #declaredType(node: SyntaxNode, declarator: SyntaxNode, name: SyntaxNode | undefined): string {
    const type = node.childForFieldName("type");
    const qualifiers = node.children
      .filter((child) => child.type === "type_qualifier")
      .map((child) => this.normal(child));
    const shape =
      type && TAGGED.has(type.type) && type.childForFieldName("body")
        ? `${type.type.split("_")[0]} ${type.childForFieldName("name")?.text ?? "{}"}`
        : type
          ? this.normal(type)
          : "int";
    return [...qualifiers, shape, this.#typeOnly(declarator, name)].filter((part) => part !== "").join(" ");
  }

  /** A declaration's text without its name and annotations. */
  #typeOnly(node: SyntaxNode, name: SyntaxNode | undefined): string {
    const holes = [...(name ? [name] : []), ...annotationsWithin(node)].sort(
      (a, b) => a.startIndex - b.startIndex,
    );
    let text = "";
    let at = node.startIndex;
    for (const hole of holes) {
      text += `${this.#text.slice(at, Math.max(at, hole.startIndex))} `;
      at = Math.max(at, hole.endIndex);
    }
    return normalForm(text + this.#text.slice(at, node.endIndex)).replace(/^register /, "");
  }

  /** Storage classes, annotations and attributes of a declaration, those within the declarator's chain included. */
  #annotations(node: SyntaxNode, name: SyntaxNode | undefined): string[] {
    const found = node.children.filter(
      (child) => child.type === "storage_class_specifier" || ANNOTATION.has(child.type),
    );
    for (let at = name?.parent; at && at.id !== node.id; at = at.parent)
      found.push(...at.namedChildren.filter((child) => ANNOTATION.has(child.type)));
    return found.sort((a, b) => a.startIndex - b.startIndex).map((child) => this.normal(child));
  }

  #raw(node: SyntaxNode): string {
    return this.#text.slice(node.startIndex, node.endIndex);
  }
}

const INLINE = /^(?:inline|__inline|__inline__|__always_inline)$/;

/** The symbol that a system call's or BPF helper's macro defines first (include/linux/syscalls.h, include/linux/filter.h). */
function systemCallName(macro: string, name: string): string {
  if (/^(?:COMPAT_)SYSCALL_DEFINE/.test(macro)) return `compat_sys_${name}`;
  return /^SYSCALL(?:32)?_DEFINE/.test(macro) ? `sys_${name}` : name;
}

/** The name or expression behind `#if`, of a container that is one. */
export function conditionOf(container: SyntaxNode): SyntaxNode | undefined {
  if (!container.type.startsWith("preproc_")) return undefined;
  return container.childForFieldName("condition") ?? container.childForFieldName("name") ?? undefined;
}

function span(node: SyntaxNode | undefined): { nameStart: number; nameEnd: number } | Record<never, never> {
  return node ? { nameStart: node.startIndex, nameEnd: node.endIndex } : {};
}

function isDeclarator(parent: SyntaxNode, child: SyntaxNode, at: number, type: SyntaxNode | null): boolean {
  if (type && child.startIndex <= type.startIndex) return false;
  if (DECLARATORS.has(child.type)) return true;
  if (!NAMES.has(child.type)) return false;
  const before = parent.children[at - 1];
  return before !== undefined && (child.type !== "type_identifier" || parent.type === "type_definition");
}

function isFunctionDeclarator(node: SyntaxNode): boolean {
  let at: SyntaxNode | null = node;
  while (at && (at.type === "pointer_declarator" || at.type === "attributed_declarator"))
    at =
      at.childForFieldName("declarator") ??
      at.namedChildren.find((child) => DECLARATORS.has(child.type)) ??
      null;
  if (at?.type !== "function_declarator") return false;
  // int (*handler)(int): a variable.
  return at.childForFieldName("declarator")?.type !== "parenthesized_declarator";
}

/** The name that a declarator declares. */
export function innermostName(declarator: SyntaxNode | null | undefined): SyntaxNode | undefined {
  let at: SyntaxNode | null | undefined = declarator;
  while (at) {
    if (NAMES.has(at.type)) return at;
    const inner: SyntaxNode | null = at.childForFieldName("declarator");
    at = inner ?? at.namedChildren.find((child) => DECLARATORS.has(child.type) || NAMES.has(child.type));
  }
  return undefined;
}

function innermostText(node: SyntaxNode, text: string): string {
  const name = innermostName(node);
  return name
    ? text.slice(name.startIndex, name.endIndex)
    : normalForm(text.slice(node.startIndex, node.endIndex));
}

function annotationsWithin(node: SyntaxNode): SyntaxNode[] {
  if (ANNOTATION.has(node.type)) return [node];
  return node.namedChildren.flatMap((child) => annotationsWithin(child));
}
