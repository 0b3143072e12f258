import type { Edits } from "../objdiff/explain.js";
import { withoutComments } from "./code-lines.js";
import type { FileChange } from "./patch-files.js";

/**
 * What a patch edits, in terms of the functions and macros of the source: so that the object diff can say why others
 * changed too. Reads the kernel's style (Documentation/process/coding-style.rst, 3), where the braces of a function
 * stand at the beginning of a line; what is written otherwise is not found, and then not named as a cause.
 * @param roots folders that debug information may spell files below
 * @param readSource text of an unchanged file by its path in the tree; asked for when an edited macro may be used there
 */
export function editsOf(
  changes: readonly FileChange[],
  roots: readonly string[],
  readSource: (path: string) => string | undefined = () => undefined,
): Edits {
  const names = new Set<string>();
  const edited = new Map<string, SourceFunction[]>();
  const macros = new Set<string>();
  const macroTexts = new Map<string, string>();
  const functions = new Map<string, SourceFunction[]>();
  for (const { path, before, after } of changes) {
    const [old, now] = [before, after].map((text) => text?.toString("latin1") ?? "");
    const was = functionsIn(old ?? "");
    functions.set(path, was);
    const differing = differingNames(was, functionsIn(now ?? ""));
    for (const name of differing) names.add(name);
    edited.set(
      path,
      was.filter(({ name }) => differing.has(name)),
    );
    const nowMacros = macrosIn(now ?? "");
    for (const name of differingNames(macrosIn(old ?? ""), nowMacros)) macros.add(name);
    for (const { name, text } of nowMacros) macroTexts.set(name, text);
  }
  addUsers(macros, macroTexts);

  const pathOf = (file: string) => {
    const root = roots.find((folder) => file.startsWith(`${folder}/`));
    return root === undefined ? file : file.slice(root.length + 1);
  };
  const at = (known: readonly SourceFunction[] | undefined, line: number) =>
    known?.find(({ from, to }) => from <= line && line <= to);
  const functionsOf = (path: string) => {
    const known = functions.get(path) ?? functionsIn(readSource(path) ?? "");
    functions.set(path, known);
    return known;
  };
  return {
    editsFunction: (name) => names.has(name),
    editsAt: ({ file, line }) => at(edited.get(pathOf(file)), line) !== undefined,
    macroIn: ({ file, line }) => {
      const text = macros.size > 0 ? at(functionsOf(pathOf(file)), line)?.text : undefined;
      return text?.match(/\w+/g)?.find((word) => macros.has(word));
    },
  };
}

interface SourceText {
  readonly name: string;
  /** Without comments, and with single blanks. */
  readonly text: string;
}

interface SourceFunction extends SourceText {
  /** Lines, from 1, inclusive. */
  readonly from: number;
  readonly to: number;
}

function differingNames(before: readonly SourceText[], after: readonly SourceText[]): Set<string> {
  const texts = (all: readonly SourceText[]) => {
    const byName = new Map<string, string>();
    for (const { name, text } of all) byName.set(name, `${byName.get(name) ?? ""}${text}\n`);
    return byName;
  };
  const [was, is] = [texts(before), texts(after)];
  return new Set([...was.keys(), ...is.keys()].filter((name) => was.get(name) !== is.get(name)));
}

/** Macros that use an edited macro change with it. */
function addUsers(macros: Set<string>, texts: ReadonlyMap<string, string>): void {
  for (let size = -1; size !== macros.size; ) {
    size = macros.size;
    for (const [name, text] of texts)
      if (text.match(/\w+/g)?.some((word) => macros.has(word))) macros.add(name);
  }
}

function linesOf(source: string): string[] {
  return withoutComments(source, (comment) => comment.replace(/[^\n]/g, " ")).split("\n");
}

function functionsIn(source: string): SourceFunction[] {
  const functions: SourceFunction[] = [];
  const lines = linesOf(source);
  let head: { from: number; text: string } | undefined;
  let body: { from: number; name: string; start: number } | undefined;
  const end = (index: number) => {
    if (!body) return;
    const text = lines
      .slice(body.start, index + 1)
      .join(" ")
      .replaceAll(/\s+/g, " ");
    functions.push({ name: body.name, text, from: body.from, to: index + 1 });
    body = undefined;
    head = undefined;
  };
  for (const [index, line] of lines.entries()) {
    if (body) {
      if (line.startsWith("}")) end(index);
      continue;
    }
    if (/^\s*($|#)/.test(line)) {
      // A blank line before the brace is rare, but there.
      if (!head?.text.trimEnd().endsWith(")")) head = undefined;
      continue;
    }
    head ??= { from: index + 1, text: "" };
    const opens = line.startsWith("{") || /\)[^;=]*\{/.test(line);
    const text = `${head.text} ${line}`;
    if (opens) {
      const name = /(\w+)\s*\(/.exec(text.replaceAll(/__\w+\(\([^;{]*?\)\)/g, ""))?.[1];
      if (name !== undefined) body = { from: head.from, name, start: head.from - 1 };
      if (/\}\s*;?\s*$/.test(line)) end(index);
      head = undefined;
    } else head = /[;}]\s*$/.test(line) ? undefined : { from: head.from, text };
  }
  return functions;
}

function macrosIn(source: string): SourceText[] {
  const joined = linesOf(source).join("\n").replaceAll("\\\n", " ");
  return [...joined.matchAll(/^[ \t]*#[ \t]*define[ \t]+(\w+)(.*)$/gm)].map(([, name = "", text = ""]) => ({
    name,
    text: text.replaceAll(/\s+/g, " ").trim(),
  }));
}
