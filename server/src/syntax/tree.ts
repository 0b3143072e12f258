/** A place in a source text, lines and columns counted from 0, columns in UTF-16 units. */
export interface Point {
  readonly row: number;
  readonly column: number;
}

/** What both engines' nodes have. Offsets count UTF-16 units from 0. */
export interface SyntaxNode {
  readonly id: number;
  readonly type: string;
  readonly isNamed: boolean;
  readonly isMissing: boolean;
  readonly isError: boolean;
  /** An error somewhere within. */
  readonly hasError: boolean;
  readonly startIndex: number;
  readonly endIndex: number;
  readonly startPosition: Point;
  readonly endPosition: Point;
  readonly text: string;
  readonly parent: SyntaxNode | null;
  readonly children: readonly SyntaxNode[];
  readonly namedChildren: readonly SyntaxNode[];
  childForFieldName(name: string): SyntaxNode | null;
  /** The tree below as an S-expression with the names of the fields. */
  toString(): string;
  descendantForIndex(start: number, end?: number): SyntaxNode | null;
}

/** A replaced stretch of a source text. */
export interface Edit {
  readonly startIndex: number;
  readonly oldEndIndex: number;
  readonly newEndIndex: number;
  readonly startPosition: Point;
  readonly oldEndPosition: Point;
  readonly newEndPosition: Point;
}

/** A part of a source text. */
export interface Stretch {
  readonly startIndex: number;
  readonly endIndex: number;
  readonly startPosition: Point;
  readonly endPosition: Point;
}

/** A parsed source text. It holds memory outside the heap of JavaScript: see {@link SyntaxTree.free}. */
export interface SyntaxTree {
  readonly root: SyntaxNode;
  /** Moves the tree's places as the text was edited, before it is given to {@link Engine.parse} as `previous`. */
  edit(edit: Edit): void;
  /** Gives the memory back; the tree and its nodes are not to be used any more. Twice is once. */
  free(): void;
}

export interface Capture {
  /** The capture's name without its `@`. */
  readonly name: string;
  readonly node: SyntaxNode;
}

/** A compiled query. */
export interface SyntaxQuery {
  /** Everything captured within `node`, in the order of the text; predicates are evaluated. */
  captures(node: SyntaxNode): Capture[];
  free(): void;
}

/** The kernel's C, ready to parse. */
export interface Engine {
  /** Which build of the grammar is in use. */
  readonly kind: "native" | "wasm";
  /**
   * Parses a text; any text gives a tree.
   * @param previous the tree of an earlier state of the text, already moved by {@link SyntaxTree.edit}; stays the caller's
   * @param within the stretch to read as if nothing else were there; nodes keep their places in the text
   * @throws Fault "bad-input" when the text is longer than this engine can hold
   */
  parse(text: string, previous?: SyntaxTree, within?: Stretch): SyntaxTree;
  /** @throws Error when the query's source is malformed */
  query(source: string): SyntaxQuery;
}
