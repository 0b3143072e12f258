import { readSource } from "@kernel-hotpatch/server/syntax/source-text";
import type Parser from "tree-sitter";
import { errorsOf, type Parsers } from "./grammar-parsers.js";

/** Node types of ours that plain tree-sitter-c does not know, or gives another place. */
const DIALECT = new Set([
  "annotation",
  "asm_instruction_argument",
  "asm_operand_argument",
  "assignment_argument",
  "bitfield_macro",
  "field_group",
  "initializer_fragment",
  "label_address_expression",
  "local_label_declaration",
  "machine_definition",
  "macro_declaration",
  "macro_element",
  "macro_enumerator",
  "macro_field",
  "macro_function_definition",
  "macro_statement",
  "operator_argument",
  "preproc_line",
  "preproc_skipped",
  "range_argument",
  "scaled_expression",
  "static_assert_field",
  "type_macro",
  "typeof_specifier",
]);

export interface EqualityResult {
  /** Files without an error in either grammar. */
  files: number;
  /** Of those, files with exactly the same named nodes. */
  same: number;
  /** Files that differ only where ours has a node of the dialect. */
  dialect: number;
  /** Files that differ where plain tree-sitter-c takes the next directive for the value of an empty `#define X `. */
  plainWrong: number;
  /** First place of each other difference, at most one a file. */
  readonly other: { file: string; line: number; plain: string; ours: string }[];
}

/** Compares the trees of files that both grammars read without an error, named node by named node. */
export async function compareTrees(parsers: Parsers, paths: readonly string[]): Promise<EqualityResult> {
  const result: EqualityResult = { files: 0, same: 0, dialect: 0, plainWrong: 0, other: [] };
  for (const file of paths) {
    const text = await readSource(file);
    await parsers.rest();
    const plain = parsers.plain(text);
    if (errorsOf(plain).count > 0) continue;
    const ours = parsers.ours(text);
    if (errorsOf(ours).count > 0) continue;
    result.files++;
    let dialect = false;
    const other = firstDifference(plain.rootNode, ours.rootNode, () => {
      dialect = true;
    });
    if (other?.plainWrong) result.plainWrong++;
    else if (other) result.other.push({ file, line: other.line, plain: other.plain, ours: other.ours });
    else if (dialect) result.dialect++;
    else result.same++;
  }
  return result;
}

interface Difference {
  plainWrong: boolean;
  line: number;
  plain: string;
  ours: string;
}

function firstDifference(
  plain: Parser.SyntaxNode,
  ours: Parser.SyntaxNode,
  onDialect: () => void,
): Difference | undefined {
  const pending: [Parser.SyntaxNode, Parser.SyntaxNode][] = [[plain, ours]];
  for (let pair = pending.pop(); pair; pair = pending.pop()) {
    const [left, right] = [pair[0].namedChildren, pair[1].namedChildren];
    let i = 0;
    let j = 0;
    while (i < left.length || j < right.length) {
      const a = left[i];
      const b = right[j];
      if (a && b && a.type === b.type && a.startIndex === b.startIndex && a.endIndex === b.endIndex) {
        pending.push([a, b]);
        i++;
        j++;
        continue;
      }
      // Where they part, skip to the next place at which both begin a node again.
      const from = Math.min(a?.startIndex ?? Infinity, b?.startIndex ?? Infinity);
      const [endI, endJ] = nextMeeting(left, right, i, j);
      const mine = right.slice(j, endJ);
      const parent = DIALECT.has(pair[1].type);
      if (parent || mine.some(hasDialect)) {
        onDialect();
      } else {
        const line = (from === b?.startIndex ? b : a)?.startPosition.row ?? 0;
        const theirs = left.slice(i, endI);
        return {
          plainWrong: theirs.some(swallowsDirective),
          line: line + 1,
          plain: describe(theirs),
          ours: describe(mine),
        };
      }
      i = endI;
      j = endJ;
    }
  }
  return undefined;
}

function nextMeeting(
  left: Parser.SyntaxNode[],
  right: Parser.SyntaxNode[],
  i: number,
  j: number,
): [number, number] {
  const places = new Map(
    right.slice(j).map((node, at) => [`${node.type} ${node.startIndex} ${node.endIndex}`, j + at]),
  );
  for (let at = i; at < left.length; at++) {
    const node = left[at];
    const met = node && places.get(`${node.type} ${node.startIndex} ${node.endIndex}`);
    if (met !== undefined) return [at, met];
  }
  return [left.length, right.length];
}

/** Arguments that only macros take. */
const MACRO_ARGUMENTS = new Set([
  "type_descriptor",
  "parameter_declaration",
  "declaration",
  "initializer_list",
]);

function hasDialect(node: Parser.SyntaxNode): boolean {
  if (node.parent?.type === "argument_list" && MACRO_ARGUMENTS.has(node.type)) return true;
  return DIALECT.has(node.type) || node.namedChildren.some(hasDialect);
}

/** A macro's value ends with its line; one that is itself a directive is the next line. */
function swallowsDirective(node: Parser.SyntaxNode): boolean {
  return node.namedChildren.some(({ type, text }) => type === "preproc_arg" && /^#\s*[a-z]/.test(text));
}

function describe(nodes: Parser.SyntaxNode[]): string {
  return (
    nodes
      .map((node) => node.toString())
      .join(" ")
      .slice(0, 160) || "nothing"
  );
}
