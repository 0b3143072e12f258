import type { SyntaxNode } from "../syntax/tree.js";
import type { LineIndex } from "./line-index.js";

/** One thing that a C file declares at its top level. */
export type Item =
  | FunctionItem
  | PrototypeItem
  | TypeItem
  | TypedefItem
  | DataItem
  | MacroItem
  | CallItem
  | OtherItem;

interface ItemBase {
  readonly file: string;
  /** Offsets in the file's text, in UTF-16 units. */
  readonly start: number;
  readonly end: number;
  /** Where its name stands, for a finding to mark. */
  readonly nameStart: number;
  readonly nameEnd: number;
  /** Counts from 1. */
  readonly line: number;
  readonly endLine: number;
  /** Its tokens joined by single blanks, without comments: equal for what is only formatted differently. */
  readonly tokens: string;
  /**
   * The conditions of `#if` around it, outermost first, as written after the `#if`, negated ones in `!(…)`; the guard of a
   * header is left out.
   */
  readonly conditions: readonly string[];
  /** Whether the configuration keeps it; `unknown` where a condition cannot be judged. */
  readonly kept: "yes" | "no" | "unknown";
}

/** A definition: with a body. */
export interface FunctionItem extends ItemBase {
  readonly kind: "function";
  /** `do_exit`; for `SYSCALL_DEFINE3(open, …)` the name the kernel's tables use: `sys_open` (`compat_sys_open`, `bpf_…` likewise). */
  readonly name: string;
  /** The defining macro: `SYSCALL_DEFINE3`, `BPF_CALL_2`; absent for a plain function. */
  readonly macro?: string;
  /** `static`, `inline`, `__init`, `notrace`, `__must_hold(&lock)`, `__attribute__((weak))`: everything but types, in order. */
  readonly annotations: readonly string[];
  readonly isStatic: boolean;
  /** `inline`, `__inline`, `__always_inline`. */
  readonly isInline: boolean;
  /** Return type without annotations, in normal form. */
  readonly returns: string;
  /** Each parameter as its type in normal form, without its name and without annotations; `...` for variadic. */
  readonly parameters: readonly string[];
  /** The body's tokens. */
  readonly body: string;
  /** Where the body starts: offset of its brace. */
  readonly bodyStart: number;
}

/** A declaration of a function: `int f(void);`, `extern` or not. */
export interface PrototypeItem extends ItemBase {
  readonly kind: "prototype";
  readonly name: string;
  readonly annotations: readonly string[];
  readonly returns: string;
  readonly parameters: readonly string[];
}

/** A struct, union or enum with its members; also one that is only named within a typedef or a variable's declaration. */
export interface TypeItem extends ItemBase {
  readonly kind: "type";
  /** `struct foo`, `union foo`, `enum foo`; for one without a tag the typedef's name, or `enum { FIRST_ENUMERATOR` . */
  readonly name: string;
  readonly keyword: "struct" | "union" | "enum";
  readonly members: readonly Member[];
  /** Attributes of the whole: `__packed`, `____cacheline_aligned`, `__randomize_layout`. */
  readonly annotations: readonly string[];
}

export interface Member {
  /** Empty for an unnamed bit-field or struct; an enumerator's name for an enum. */
  readonly name: string;
  /** Its declaration in normal form, name included: `unsigned long flags`, `u8 mode : 3`; an enumerator's value. */
  readonly tokens: string;
  readonly line: number;
  readonly kept: "yes" | "no" | "unknown";
}

export interface TypedefItem extends ItemBase {
  readonly kind: "typedef";
  readonly name: string;
}

/** A variable at file scope: a definition, or an `extern` declaration. Also `DEFINE_MUTEX(lock)`, `DEFINE_PER_CPU(int, x)`. */
export interface DataItem extends ItemBase {
  readonly kind: "data";
  readonly name: string;
  /** The defining macro. */
  readonly macro?: string;
  readonly annotations: readonly string[];
  readonly isStatic: boolean;
  readonly isExtern: boolean;
  readonly isConst: boolean;
  readonly isPerCpu: boolean;
  /** The type in normal form, with `*` and `[…]`, without annotations: `const struct file_operations`; for a macro its arguments. */
  readonly type: string;
  /** Tag of the struct or union it is of, such as `file_operations`. */
  readonly struct?: string;
  /** Tokens of the initialiser; absent when there is none. */
  readonly initial?: string;
  /** Elements of a braced initialiser, in order. */
  readonly elements: readonly Element[];
}

export interface Element {
  /** The designator in normal form: `.read`, `[3]`; empty when it goes by position. */
  readonly designator: string;
  readonly value: string;
  readonly line: number;
  readonly kept: "yes" | "no" | "unknown";
}

export interface MacroItem extends ItemBase {
  readonly kind: "macro";
  readonly name: string;
  /** Absent for an object-like macro. */
  readonly parameters?: readonly string[];
  readonly body: string;
}

/** A macro's use at the top level that defines no variable or function of its own: `EXPORT_SYMBOL(f)`, `module_init(f)`, `TRACE_EVENT(…)`. */
export interface CallItem extends ItemBase {
  readonly kind: "call";
  /** `EXPORT_SYMBOL_GPL(do_exit)`: the macro and its first argument, so that equal ones are one. */
  readonly name: string;
  readonly macro: string;
  readonly arguments: readonly string[];
}

/** `include`: `<linux/mm.h>`; `assembly`: top-level `asm`; `unread`: what the grammar cannot read; `other`: anything else. */
export interface OtherItem extends ItemBase {
  readonly kind: "include" | "assembly" | "unread" | "other";
  readonly name: string;
}

/** A C file of one side of the change. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly lines: LineIndex;
  /** Everything that it declares; read when first asked for. */
  readonly items: readonly Item[];
  /** Under which `#if` a line stands, and whether the configuration keeps it. @param line counts from 1 */
  conditionsAt(line: number): Pick<Item, "conditions" | "kept">;
  /**
   * The syntax of one item, parsed by itself: offsets are those of the file's text. Nodes are valid until
   * {@link release}.
   */
  syntax(item: Item): SyntaxNode;
  /** Frees what {@link syntax} parsed; its nodes are not to be used any more. */
  release(): void;
}
