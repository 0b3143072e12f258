import { readSource } from "@kernel-hotpatch/server/syntax/source-text";
import type Parser from "tree-sitter";
import type { Parse, Parsers } from "./grammar-parsers.js";

/**
 * What the tree knows of the compiler's facts, by one rule: a fact is *written* if its name stands as a token on the line
 * that DWARF gives for its definition, or is pasted there (an argument of a macro called on that line is a part of the
 * name); a written one is found if the tree has the definition by that name on that line, or a macro's node there with
 * that argument, and else missing; one that is not written there was made by a macro's body, and is no part of the share.
 */
export interface Share {
  /** Found as they are written. */
  exact: number;
  /** Found as the argument, or as pasted of an argument, of a macro whose node is there. */
  named: number;
  /** Not written on that line: no part of the share. */
  made: number;
  missing: number;
  /** Those that are missing. */
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
  { ours, rest }: Parsers,
  tree: string,
  objects: readonly string[],
): Promise<TruthResult> {
  const share = (): Share => ({ exact: 0, named: 0, made: 0, missing: 0, examples: [] });
  const result: TruthResult = {
    objects: 0,
    functions: share(),
    lines: share(),
    members: share(),
    calls: share(),
  };
  const outlines = new Map<string, Outline>();
  const outline = async (file: string): Promise<Outline> => {
    const known = outlines.get(file) ?? outlineOf(ours, await readSource(file));
    outlines.set(file, known);
    await rest();
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
      count(result.functions, fact, there, there.functions, there.macroLines);
    }
    for (const fact of facts.members) {
      if (!fact.file.startsWith(`${tree}/`) || !isNew(seen, "m", fact)) continue;
      const there = await outline(fact.file);
      count(result.members, fact, there, there.members, there.memberMacroLines);
    }
    for (const line of facts.codeLines) {
      const fact = { name: "code", file: facts.source, line };
      if (!isNew(seen, "l", fact)) continue;
      if (own.bodyLines.has(line)) result.lines.exact++;
      else if (own.macroLines.has(line)) result.lines.named++;
      else miss(result.lines, fact);
    }
    for (const name of facts.called) {
      if (!own.written.has(name)) continue;
      if (own.calls.has(name)) result.calls.exact++;
      else if (own.macroNames.has(name)) result.calls.named++;
      else miss(result.calls, { name, file: facts.source, line: 0 });
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

function count(
  share: Share,
  fact: Place,
  { text }: Outline,
  found: ReadonlySet<string>,
  macroLines: Words,
): void {
  const { name, line } = fact;
  if (found.has(`${name} ${line}`)) share.exact++;
  else if (!isWritten(text, fact)) share.made++;
  else if (macroLines.get(line)?.some((words) => isOf(name, words))) share.named++;
  else miss(share, fact);
}

function miss(share: Share, { name, file, line }: Place): void {
  share.missing++;
  share.examples.push(`${file}:${line} ${name}`);
}

/** By the text alone, not by the tree: see {@link Share}. */
function isWritten(lines: readonly string[], { name, line }: Place): boolean {
  const text = lines[line - 1] ?? "";
  if (wordsOf(text).has(name)) return true;
  // SYSCALL_DEFINE1(open, …) made __se_sys_open; the arguments may go on for lines.
  for (const { index } of text.matchAll(/\w\s*\(/g)) {
    const rest = [text.slice(index + 1), ...lines.slice(line, line + MACRO_LINES)].join("\n");
    if (isOf(name, wordsOf(argumentsOf(rest)))) return true;
  }
  return false;
}

const MACRO_LINES = 200;

/** The text from the first parenthesis to the one that closes it. */
function argumentsOf(text: string): string {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "(") depth++;
    else if (text[at] === ")" && --depth === 0) return text.slice(0, at);
  }
  return text;
}

/** Whether the name is one of the words or pasted of one: EVAL(512) made run512, PAGEFLAG(Locked, …) SetPageLocked. */
function isOf(name: string, words: ReadonlySet<string>): boolean {
  if (words.has(name)) return true;
  for (const word of words) {
    const at = word.length > 1 ? name.indexOf(word) : -1;
    if (at < 0) continue;
    const [before, after] = [name[at - 1] ?? "_", name[at + word.length] ?? "_"];
    // A part of its own, not just letters within a word.
    if ((before === "_" || /^[A-Z0-9]/.test(word)) && /[_A-Z0-9]/.test(after)) return true;
  }
  return false;
}

function wordsOf(text: string): Set<string> {
  return new Set(text.match(/\w+/g));
}

/** By the line, from 1: the words of the arguments of each macro's node that covers it. */
type Words = ReadonlyMap<number, ReadonlySet<string>[]>;

/** What a tree says of a file. */
interface Outline {
  /** Its lines, without comments. */
  readonly text: readonly string[];
  /** `name line-of-the-name` of every definition that is not within another's body. */
  readonly functions: ReadonlySet<string>;
  /** Lines from a definition's first to its closing brace. */
  readonly bodyLines: ReadonlySet<number>;
  readonly members: ReadonlySet<string>;
  /** Macros that may declare members, wherever they are called. */
  readonly memberMacroLines: Words;
  readonly calls: ReadonlySet<string>;
  /** Lines covered by the use of a macro that defines or declares something. */
  readonly macroLines: Words;
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
  const memberMacroLines = new Map<number, Set<string>[]>();
  const calls = new Set<string>();
  const macroLines = new Map<number, Set<string>[]>();
  const macroNames = new Set<string>();
  const written = new Set<string>();
  const blanked: [number, number][] = [];
  const cover = (
    node: Parser.SyntaxNode,
    maps: Map<number, Set<string>[]>[],
    body?: Parser.SyntaxNode,
  ): void => {
    // A group of members and a macro of bit-fields have no list of arguments: all but their name.
    const list = node.childForFieldName("arguments");
    const words = wordsOf((list ?? node).text);
    const name = list ? undefined : node.childForFieldName("name")?.text;
    if (name) words.delete(name);
    for (let row = node.startPosition.row; row <= (body?.startPosition ?? node.endPosition).row; row++)
      for (const map of maps) map.set(row + 1, [...(map.get(row + 1) ?? []), words]);
  };
  const pending = [parse(text).rootNode];
  for (let node = pending.pop(); node; node = pending.pop()) {
    const { type } = node;
    if (type === "function_definition") {
      const name = declaredName(node.childForFieldName("declarator"));
      if (name && !isWithinBody(node)) {
        functions.add(`${name.text} ${name.startPosition.row + 1}`);
        for (let row = node.startPosition.row; row <= node.endPosition.row; row++) bodyLines.add(row + 1);
      }
    } else if (type === "field_declaration") {
      for (const child of node.children) {
        const name = declaredName(child);
        if (!name) continue;
        members.add(`${name.text} ${name.startPosition.row + 1}`);
      }
    } else if (type === "bitfield_macro") {
      for (const name of node.childrenForFieldName("declarator"))
        if (name.type === "field_identifier") members.add(`${name.text} ${name.startPosition.row + 1}`);
      cover(node, [memberMacroLines]);
    } else if (type === "call_expression") {
      const callee = node.childForFieldName("function");
      if (callee) {
        calls.add(callee.text);
        // A macro whose expansion declares a struct.
        cover(node, [memberMacroLines]);
      }
    } else if (MACRO_NODES.has(type)) {
      const name = node.childForFieldName("name");
      if (name) macroNames.add(name.text);
      // A macro that is given a body defines at its head; the body is code as any other.
      const body = node.childForFieldName("body");
      if (type === "macro_function_definition" && body) {
        cover(node, [macroLines, memberMacroLines], body);
        for (let row = body.startPosition.row; row <= body.endPosition.row; row++) bodyLines.add(row + 1);
      } else if (type !== "macro_statement" || !body) cover(node, [macroLines, memberMacroLines]);
    } else if (type === "expression_statement" && node.parent?.type !== "compound_statement") {
      // MODULE_LICENSE(…); module_init(…): calls outside functions are uses of macros.
      cover(node, [macroLines]);
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
  const rest = blanks(text, blanked);
  for (const [, name] of rest.matchAll(/\b([A-Za-z_]\w*)\s*\(/g)) if (name) written.add(name);
  return {
    text: text.replace(COMMENT_OR_QUOTED, keepQuoted).split("\n"),
    functions,
    bodyLines,
    members,
    memberMacroLines,
    calls,
    macroLines,
    macroNames,
    written,
  };
}

const COMMENT_OR_QUOTED = /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\/\*[\s\S]*?\*\/|\/\/.*/g;

function keepQuoted(found: string): string {
  return found.startsWith("/") ? found.replace(/[^\n]/g, " ") : found;
}

/** The text with some stretches blank. */
function blanks(text: string, stretches: readonly [number, number][]): string {
  const units = text.split("");
  for (const [start, end] of stretches) units.fill(" ", start, end);
  return units.join("");
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
