import { Attribute, Tag } from "@kernel-hotpatch/kernel/dwarf/constants";
import {
  type Declaration,
  readDebugInformation,
  type TypeLayout,
} from "@kernel-hotpatch/kernel/dwarf/debug-information";
import { attributeOf, type Entry, hasAttribute, readUnits } from "@kernel-hotpatch/kernel/dwarf/units";
import type { ElfObject } from "@kernel-hotpatch/kernel/elf/object";

/** What DWARF says of an object's functions, variables and types. */
export interface DebugFacts {
  /** Signature of every function with a body, by name: `int (struct file *, const char *)`. */
  readonly signatures: ReadonlyMap<string, string>;
  /** Names of the functions that were inlined into a function, over any number of levels. */
  readonly inlinedInto: ReadonlyMap<string, ReadonlySet<string>>;
  /** The functions that declare a variable of their own of that name. */
  readonly declaring: ReadonlyMap<string, ReadonlySet<string>>;
  readonly types: readonly TypeLayout[];
  readonly declarations: ReadonlyMap<string, Declaration>;
  /** `struct foo` for every named struct and union that a variable holds by value, itself included. */
  heldBy(variable: string): ReadonlySet<string>;
  /** Whether a variable is, or is an array of, a struct with members that point to functions. */
  isOpsTable(variable: string): boolean;
}

// Numbers of DWARF 5, 7.5.3 and 7.5.4, beyond those that the object diff needs.
const FORMAL_PARAMETER = 0x05;
const LEXICAL_BLOCK = 0x0b;
const UNSPECIFIED_PARAMETERS = 0x18;
const INLINED_SUBROUTINE = 0x1d;
const ABSTRACT_ORIGIN = 0x31;

const WANTED: ReadonlySet<number> = new Set<number>([
  ...Object.values(Tag),
  FORMAL_PARAMETER,
  LEXICAL_BLOCK,
  UNSPECIFIED_PARAMETERS,
  INLINED_SUBROUTINE,
]);

type Entries = ReadonlyMap<number, Entry>;

/** @throws RangeError when the object has no debug information or a damaged one */
export function readDebugFacts(object: ElfObject): DebugFacts {
  const layouts = readDebugInformation(object);
  const [unit] = readUnits(object, WANTED) ?? [];
  if (layouts === undefined || unit?.root === undefined) throw new RangeError("no debug information");
  const { entries, root } = unit;

  const signatures = new Map<string, string>();
  const inlinedInto = new Map<string, Set<string>>();
  const declaring = new Map<string, Set<string>>();
  const variables = new Map<string, Entry[]>();
  const global = new Set(root.children);
  for (const entry of entries.values()) {
    const name = nameOf(entry, entries);
    if (name === undefined) continue;
    if (entry.tag === Tag.SUBPROGRAM && !hasAttribute(entry, Attribute.DECLARATION)) {
      if (!hasAttribute(entry, ABSTRACT_ORIGIN)) signatures.set(name, signature(entry, entries));
      const inlined = inlinedInto.get(name) ?? new Set();
      inlinedInto.set(name, inlined);
      addInlined(entry, entries, inlined);
      for (const variable of variablesOf(entry, entries))
        declaring.set(variable, (declaring.get(variable) ?? new Set()).add(name));
    }
    if (entry.tag === Tag.VARIABLE && hasAttribute(entry, Attribute.TYPE)) {
      const known = variables.get(name) ?? [];
      if (global.has(entry)) known.unshift(entry);
      else known.push(entry);
      variables.set(name, known);
    }
  }
  const typesOf = (variable: string) =>
    (variables.get(variable) ?? [])
      .map((entry) => target(entry, entries))
      .filter((type) => type !== undefined);
  return {
    signatures,
    inlinedInto,
    declaring,
    ...layouts,
    heldBy: (variable) => {
      const held = new Set<string>();
      for (const type of typesOf(variable)) addHeld(type, entries, held);
      return held;
    },
    isOpsTable: (variable) => typesOf(variable).some((type) => hasFunctionPointers(type, entries)),
  };
}

function nameOf(entry: Entry, entries: Entries): string | undefined {
  const name = attributeOf(entry, Attribute.NAME);
  if (typeof name === "string") return name;
  const reference = attributeOf(entry, ABSTRACT_ORIGIN) ?? attributeOf(entry, Attribute.SPECIFICATION);
  const origin = typeof reference === "number" ? entries.get(reference) : undefined;
  return origin && nameOf(origin, entries);
}

function target(entry: Entry, entries: Entries): Entry | undefined {
  const reference = attributeOf(entry, Attribute.TYPE);
  return typeof reference === "number" ? entries.get(reference) : undefined;
}

function signature(entry: Entry, entries: Entries): string {
  const parameters = entry.children.flatMap((child) => {
    if (child.tag === UNSPECIFIED_PARAMETERS) return ["..."];
    if (child.tag !== FORMAL_PARAMETER) return [];
    const type = target(child, entries);
    // `const` of the parameter itself is the body's own affair.
    return [words(type?.tag === Tag.CONST ? target(type, entries) : type, entries)];
  });
  return `${words(target(entry, entries), entries)} (${parameters.join(", ") || "void"})`;
}

/** A type as its declaration names it; what a pointer's struct looks like inside is no part of it. */
function words(type: Entry | undefined, entries: Entries): string {
  if (type === undefined) return "void";
  const name = attributeOf(type, Attribute.NAME);
  const to = () => words(target(type, entries), entries);
  switch (type.tag) {
    case Tag.CONST:
      return `const ${to()}`;
    case Tag.VOLATILE:
      return `volatile ${to()}`;
    case Tag.RESTRICT:
    case Tag.ATOMIC:
      return to();
    case Tag.POINTER:
      return `${to()} *`;
    case Tag.ARRAY:
      return `${to()}[]`;
    case Tag.SUBROUTINE_TYPE:
      return signature(type, entries);
    case Tag.STRUCTURE:
      return `struct ${name ?? ""}`;
    case Tag.UNION:
      return `union ${name ?? ""}`;
    case Tag.ENUMERATION:
      return `enum ${name ?? ""}`;
    default:
      return String(name);
  }
}

function addInlined(entry: Entry, entries: Entries, inlined: Set<string>): void {
  for (const child of entry.children) {
    if (child.tag !== INLINED_SUBROUTINE && child.tag !== LEXICAL_BLOCK) continue;
    const name = child.tag === INLINED_SUBROUTINE ? nameOf(child, entries) : undefined;
    if (name !== undefined) inlined.add(name);
    addInlined(child, entries, inlined);
  }
}

/** Names of the variables in a function's body, without those of what is inlined into it. */
function variablesOf(entry: Entry, entries: Entries): string[] {
  return entry.children.flatMap((child) => {
    if (child.tag === LEXICAL_BLOCK) return variablesOf(child, entries);
    return child.tag === Tag.VARIABLE ? (nameOf(child, entries) ?? []) : [];
  });
}

/** The type behind typedefs, qualifiers and arrays. */
function bare(type: Entry | undefined, entries: Entries): Entry | undefined {
  const passed: readonly number[] = [Tag.TYPEDEF, Tag.CONST, Tag.VOLATILE, Tag.ATOMIC, Tag.ARRAY];
  let at = type;
  while (at && passed.includes(at.tag)) at = target(at, entries);
  return at;
}

function addHeld(type: Entry, entries: Entries, held: Set<string>): void {
  const aggregate = bare(type, entries);
  if (aggregate?.tag !== Tag.STRUCTURE && aggregate?.tag !== Tag.UNION) return;
  const named = nameOf(aggregate, entries) ?? (type.tag === Tag.TYPEDEF ? nameOf(type, entries) : undefined);
  const key = `${aggregate.tag === Tag.UNION ? "union" : "struct"} ${named}`;
  if (named !== undefined && held.has(key)) return;
  if (named !== undefined) held.add(key);
  for (const member of aggregate.children) {
    const inner = member.tag === Tag.MEMBER ? target(member, entries) : undefined;
    if (inner) addHeld(inner, entries, held);
  }
}

function hasFunctionPointers(type: Entry, entries: Entries): boolean {
  const aggregate = bare(type, entries);
  if (aggregate?.tag !== Tag.STRUCTURE) return false;
  return aggregate.children.some((member) => {
    const pointer = bare(target(member, entries), entries);
    return (
      pointer?.tag === Tag.POINTER && bare(target(pointer, entries), entries)?.tag === Tag.SUBROUTINE_TYPE
    );
  });
}
