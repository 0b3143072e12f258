import { withTree } from "../syntax/engine.js";
import type { Engine, SyntaxNode, SyntaxTree } from "../syntax/tree.js";
import { CONTAINERS, conditionOf, type Description, describe } from "./describe.js";
import type { Item, SourceFile } from "./item.js";
import { LineIndex } from "./line-index.js";

/** Under which `#if` a line stands, and whether the configuration keeps it. */
export type ConditionsAt = (line: number) => Pick<Item, "conditions" | "kept">;

/** One item of a tree, before anything is read of it. */
export interface Piece {
  readonly node: SyntaxNode;
  readonly start: number;
  /** Behind the annotations that follow a type's brace. */
  readonly end: number;
}

/** A file whose items are read when they are asked for, and whose parsed pieces are held until released. */
export class LazySourceFile implements SourceFile {
  readonly path: string;
  readonly text: string;
  readonly lines: LineIndex;
  readonly #engine: Engine;
  readonly #conditionsAt: ConditionsAt;
  readonly #parsed = new Map<Item, SyntaxTree>();
  readonly #described = new Map<string, readonly Item[]>();
  #items: readonly Item[] | undefined;

  constructor(
    engine: Engine,
    path: string,
    text: string,
    conditionsAt: ConditionsAt,
    lines: LineIndex = new LineIndex(text),
  ) {
    this.#engine = engine;
    this.path = path;
    this.text = text;
    this.lines = lines;
    this.#conditionsAt = conditionsAt;
  }

  get items(): readonly Item[] {
    this.#items ??= withTree(this.#engine, this.text, (tree) =>
      piecesOf(tree.root).flatMap((piece) => this.describe(piece)),
    );
    return this.#items;
  }

  conditionsAt(line: number): Pick<Item, "conditions" | "kept"> {
    return this.#conditionsAt(line);
  }

  /** What a piece of this file's tree declares. */
  describe({ node, end }: Piece): Item[] {
    const around = {
      lineAt: (offset: number) => this.lines.lineAt(offset),
      kept: (line: number) => this.#conditionsAt(line).kept,
    };
    return describe(node, this.text, end, around).map((description) => this.#place(description));
  }

  /** What a stretch of the file declares, when nothing else is read; read once. */
  describeStretch(start: number, end: number): readonly Item[] {
    const key = `${start} ${end}`;
    const known = this.#described.get(key);
    if (known) return known;
    const tree = this.#parseStretch(start, end);
    try {
      const items = piecesOf(tree.root).flatMap((piece) => this.describe(piece));
      this.#described.set(key, items);
      return items;
    } finally {
      tree.free();
    }
  }

  /** The conditions around a piece, in one string. */
  conditionsOf(piece: Piece): string {
    return this.#conditionsAt(this.lines.lineAt(piece.start)).conditions.join("\n");
  }

  syntax(item: Item): SyntaxNode {
    const tree = this.#parsed.get(item) ?? this.#parseStretch(item.start, item.end);
    this.#parsed.set(item, tree);
    const [first, second] = tree.root.namedChildren;
    return first && !second ? first : tree.root;
  }

  #parseStretch(start: number, end: number): SyntaxTree {
    const { line, column, endLine, endColumn } = this.lines.place(this.path, start, end);
    return this.#engine.parse(this.text, undefined, {
      startIndex: start,
      endIndex: end,
      startPosition: { row: line - 1, column: column - 1 },
      endPosition: { row: endLine - 1, column: endColumn - 1 },
    });
  }

  /** Forgets the syntax that was asked for: its nodes are not to be used any more. */
  forgetSyntax(): void {
    for (const tree of this.#parsed.values()) tree.free();
    this.#parsed.clear();
  }

  release(): void {
    this.forgetSyntax();
    this.lines.release();
  }

  #place(description: Description): Item {
    const line = this.lines.lineAt(description.start);
    return {
      ...description,
      file: this.path,
      line,
      endLine: this.lines.lineAt(Math.max(description.start, description.end - 1)),
      ...this.#conditionsAt(line),
    };
  }
}

/** Comments and what only directs the preprocessor declare nothing. */
const SILENT = new Set(["comment", "preproc_line", "preproc_skipped", "preproc_call", ";", "annotation"]);
const TYPES = new Set(["struct_specifier", "union_specifier", "enum_specifier"]);

/** The items of a tree, those within `#if` and `extern "C"` included, in the order of the text. */
export function piecesOf(root: SyntaxNode): Piece[] {
  const pieces: Piece[] = [];
  const collect = (parent: SyntaxNode) => {
    const children = parent.children;
    const condition = conditionOf(parent);
    for (const [at, node] of children.entries()) {
      if (CONTAINERS.has(node.type)) collect(node);
      else if (node.isNamed && !SILENT.has(node.type) && node.id !== condition?.id)
        pieces.push({ node, start: node.startIndex, end: endOf(children, at) });
    }
  };
  collect(root);
  return pieces;
}

/** `struct s { … } __packed;`: the annotation is a node of its own, which the type's layout depends on. */
function endOf(children: readonly SyntaxNode[], at: number): number {
  const node = children[at];
  if (!node) return 0;
  let end = node.endIndex;
  if (!TYPES.has(node.type)) return end;
  for (
    let next = at + 1;
    children[next]?.type === "annotation" || children[next]?.type === "attribute_specifier";
    next++
  )
    end = children[next]?.endIndex ?? end;
  return end;
}
