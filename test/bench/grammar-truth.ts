import { readSource } from "@kernel-hotpatch/server/syntax/source-text";
import type Parser from "tree-sitter";
import type { Parse } from "./grammar-parsers.js";

/** How many of the compiler's facts the tree knows, and examples of those it does not. */
export interface Share {
  /** Found as they are written. */
  exact: number;
  /** Made by a macro: its node is at that line, and names the fact or a part of its name. */
  macro: number;
  /** Of the line only: a macro's node, or a declaration by another name, that does not name the fact. */
  line: number;
  missing: number;
  readonly examples: string[];
}

export interface TruthResult {
  objects: number;
  readonly functions: Share;
  /** Lines of the sources that the compiler made code of: within the lines of a definition? */
  readonly lines: Share;
  readonly members: Share;
  /** Called symbols of the objects' relocations whose name is written in the source with a `(` behind it. */
  readonly calls: Share;
}

interface Place {
  readonly name: string;
  readonly file: string;
  readonly line: number;
}

/** What DWARF says of one object. */
interface ObjectFacts {
  readonly source: string;
  readonly functions: Place[];
  readonly members: Place[];
  readonly codeLines: ReadonlySet<number>;
  readonly called: ReadonlySet<string>;
}

/** Holds trees against compiled objects: DWARF's functions, lines and members, and the relocations' callees. */
export async function measureTruth(
  parse: Parse,
  tree: string,
  objects: readonly string[],
): Promise<TruthResult> {
  const share = (): Share => ({ exact: 0, macro: 0, line: 0, missing: 0, examples: [] });
  const result: TruthResult = {
    objects: 0,
    functions: share(),
    lines: share(),
    members: share(),
    calls: share(),
  };
  const outlines = new Map<string, Promise<Outline>>();
  const outline = (file: string): Promise<Outline> => {
    const known = outlines.get(file) ?? readSource(file).then((text) => outlineOf(parse, text));
    outlines.set(file, known);
    return known;
  };
  const seen = new Set<string>();
  for (const object of objects) {
    const facts = await factsOf(object);
    if (!facts?.source.startsWith(`${tree}/`)) continue;
    result.objects++;
    const own = await outline(facts.source);
    for (const fact of facts.functions) {
      if (!fact.file.startsWith(`${tree}/`) || !isNew(seen, "f", fact)) continue;
      const there = await outline(fact.file);
      count(
        result.functions,
        fact,
        there.functions.has(`${fact.name} ${fact.line}`),
        there.macroLines.get(fact.line),
      );
    }
    for (const line of facts.codeLines) {
      const fact = { name: "code", file: facts.source, line };
      if (isNew(seen, "l", fact))
        count(result.lines, fact, own.bodyLines.has(line) || own.macroLines.has(line), undefined);
    }
    for (const fact of facts.members) {
      if (!fact.file.startsWith(`${tree}/`) || !isNew(seen, "m", fact)) continue;
      const there = await outline(fact.file);
      count(result.members, fact, there.members.has(`${fact.name} ${fact.line}`), [
        ...(there.macroLines.get(fact.line) ?? []),
        ...(there.memberLines.get(fact.line) ?? []),
      ]);
    }
    for (const name of facts.called) {
      const fact = { name, file: facts.source, line: 0 };
      if (own.written.has(name))
        count(result.calls, fact, own.calls.has(name) || own.macroNames.has(name), undefined);
    }
  }
  return result;
}

function isNew(seen: Set<string>, kind: string, { name, file, line }: Place): boolean {
  const key = `${kind} ${name} ${file} ${line}`;
  if (seen.has(key)) return false;
  seen.add(key);
  return true;
}

/** @param macros the nodes on the fact's line that may have made it */
function count(
  share: Share,
  { name, file, line }: Place,
  exact: boolean,
  macros: readonly Parser.SyntaxNode[] | undefined,
): void {
  if (exact) share.exact++;
  else if (macros?.some((node) => names(node, name))) share.macro++;
  else {
    const near = macros !== undefined && macros.length > 0;
    if (near) share.line++;
    else share.missing++;
    share.examples.push(`${file}:${line} ${name}${near ? " (something else on its line)" : ""}`);
  }
}

/** Whether a word of the node is part of the name: SYSCALL_DEFINE1(open, …) made __se_sys_open, EVAL(512) made run512. */
function names(node: Parser.SyntaxNode, name: string): boolean {
  return [...node.text.matchAll(/\w\w+/g)].some(([word]) => name.includes(word));
}

/** What a tree says of a file. */
interface Outline {
  /** `name line-of-the-name` of every definition that is not within another's body. */
  readonly functions: ReadonlySet<string>;
  /** Lines from a definition's first to its closing brace. */
  readonly bodyLines: ReadonlySet<number>;
  readonly members: ReadonlySet<string>;
  /** Lines on which a member is declared by any name, or a macro is called that may declare one. */
  readonly memberLines: ReadonlyMap<number, Parser.SyntaxNode[]>;
  readonly calls: ReadonlySet<string>;
  /** Lines covered by the use of a macro that defines or declares something. */
  readonly macroLines: ReadonlyMap<number, Parser.SyntaxNode[]>;
  readonly macroNames: ReadonlySet<string>;
  /** Names written with a `(` behind them, outside comments, strings, directives and declarations. */
  readonly written: ReadonlySet<string>;
}

const MACRO_NODES = new Set([
  "macro_function_definition",
  "macro_declaration",
  "macro_statement",
  "macro_field",
  "field_group",
  "type_macro",
  "macro_type_specifier",
]);

function outlineOf(parse: Parse, text: string): Outline {
  const functions = new Set<string>();
  const bodyLines = new Set<number>();
  const members = new Set<string>();
  const memberLines = new Map<number, Parser.SyntaxNode[]>();
  const calls = new Set<string>();
  const macroLines = new Map<number, Parser.SyntaxNode[]>();
  const macroNames = new Set<string>();
  const written = new Set<string>();
  const blanked: [number, number][] = [];
  const cover = (node: Parser.SyntaxNode, end = node.endPosition.row, lines = macroLines): void => {
    for (let row = node.startPosition.row; row <= end; row++) {
      const there = lines.get(row + 1);
      if (there) there.push(node);
      else lines.set(row + 1, [node]);
    }
  };
  const pending = [parse(text).rootNode];
  for (let node = pending.pop(); node; node = pending.pop()) {
    const { type } = node;
    if (type === "function_definition") {
      const name = declaredName(node.childForFieldName("declarator"));
      if (name && !isWithinBody(node)) {
        functions.add(`${name.text} ${name.startPosition.row + 1}`);
        // A definition by another name than the compiler's: the preprocessor renamed it.
        cover(name);
        for (let row = node.startPosition.row; row <= node.endPosition.row; row++) bodyLines.add(row + 1);
      }
    } else if (type === "field_declaration") {
      for (const child of node.children) {
        const name = declaredName(child);
        if (!name) continue;
        members.add(`${name.text} ${name.startPosition.row + 1}`);
        cover(name, name.endPosition.row, memberLines);
      }
    } else if (type === "call_expression") {
      const callee = node.childForFieldName("function");
      if (callee) {
        calls.add(callee.text);
        // A macro whose expansion declares a struct, or a member the preprocessor renamed.
        cover(node, node.endPosition.row, memberLines);
      }
    } else if (MACRO_NODES.has(type)) {
      const name = node.childForFieldName("name");
      if (name) macroNames.add(name.text);
      // A macro that is given a body defines at its head; the body is code as any other.
      const body = node.childForFieldName("body");
      if (type === "macro_function_definition" && body) {
        cover(node, body.startPosition.row);
        for (let row = body.startPosition.row; row <= body.endPosition.row; row++) bodyLines.add(row + 1);
      } else if (type !== "macro_statement" || !body) cover(node);
    } else if (type === "expression_statement" && node.parent?.type !== "compound_statement") {
      // MODULE_LICENSE(…); module_init(…): calls outside functions are uses of macros.
      cover(node);
    } else if (
      type === "comment" ||
      type === "string_literal" ||
      type.startsWith("preproc_arg") ||
      type === "preproc_line" ||
      type === "preproc_skipped" ||
      type === "preproc_params" ||
      type === "function_declarator"
    ) {
      blanked.push([
        node.startIndex,
        type === "function_declarator"
          ? (node.childForFieldName("parameters")?.startIndex ?? node.startIndex) + 1
          : node.endIndex,
      ]);
    }
    pending.push(...node.namedChildren);
  }
  let rest = text;
  for (const [start, end] of blanked)
    rest = `${rest.slice(0, start)}${" ".repeat(end - start)}${rest.slice(end)}`;
  for (const [, name] of rest.matchAll(/\b([A-Za-z_]\w*)\s*\(/g)) if (name) written.add(name);
  return { functions, bodyLines, members, memberLines, calls, macroLines, macroNames, written };
}

function isWithinBody(node: Parser.SyntaxNode): boolean {
  for (let at = node.parent; at; at = at.parent) if (at.type === "compound_statement") return true;
  return false;
}

function declaredName(node: Parser.SyntaxNode | null): Parser.SyntaxNode | undefined {
  for (let at = node; at; ) {
    if (at.type === "identifier" || at.type === "field_identifier") return at;
    at =
      at.childForFieldName("declarator") ??
      (at.type === "parenthesized_declarator" ? (at.namedChild(0) ?? null) : null);
  }
  return undefined;
}

/** Reads an object with llvm-dwarfdump and readelf; undefined for one without debug information. */
async function factsOf(object: string): Promise<ObjectFacts | undefined> {
  const [info, lines, relocations] = await Promise.all([
    output("llvm-dwarfdump", ["--debug-info", object]),
    output("llvm-dwarfdump", ["--debug-line", object]),
    output("readelf", ["--relocs", "--wide", object]),
  ]);
  const source = /DW_TAG_compile_unit[\s\S]*?DW_AT_name\t\("([^"]+)"\)/.exec(info)?.[1];
  if (!source) return undefined;
  // Objects linked of several have several tables of files; their parts are compared by themselves.
  if (info.split("DW_TAG_compile_unit").length !== 2) return undefined;
  const functions: Place[] = [];
  const members: Place[] = [];
  for (const entry of info.split(/\n\n/)) {
    const isFunction = entry.includes("DW_TAG_subprogram");
    if (!isFunction && !entry.includes("DW_TAG_member")) continue;
    const name = /DW_AT_name\t\("([^"]*)"\)/.exec(entry)?.[1];
    const file = /DW_AT_decl_file\t\("([^"]*)"\)/.exec(entry)?.[1];
    const line = Number(/DW_AT_decl_line\t\((\d+)\)/.exec(entry)?.[1]);
    if (!name || !file || !line) continue;
    if (!isFunction) members.push({ name, file, line });
    else if (/DW_AT_low_pc|DW_AT_inline|DW_AT_ranges/.test(entry)) functions.push({ name, file, line });
  }
  const called = new Set<string>();
  for (const [, name] of relocations.matchAll(/R_X86_64_PLT32\s+\S+\s+([A-Za-z_]\w*) [-+]/g))
    if (name) called.add(name);
  return { source, functions, members, codeLines: codeLines(lines, source), called };
}

function codeLines(dump: string, source: string): Set<number> {
  const name = source.split("/").at(-1);
  const files = [...dump.matchAll(/file_names\[\s*(\d+)\]:\s*\n\s*name: "([^"]+)"/g)]
    .filter(([, , file]) => file === name)
    .map(([, index]) => index);
  const own = new Set(files);
  const found = new Set<number>();
  for (const [, line, file] of dump.matchAll(/^0x[0-9a-f]+\s+(\d+)\s+\d+\s+(\d+)/gm)) {
    if (own.has(file)) found.add(Number(line));
  }
  return found;
}

async function output(program: string, args: readonly string[]): Promise<string> {
  const { spawn } = await import("node:child_process");
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "ignore"] });
  let text = "";
  child.stdout.setEncoding("utf8");
  for await (const chunk of child.stdout) text += chunk;
  return text;
}
