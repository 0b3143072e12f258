import type { TypeLayout } from "@kernel-hotpatch/kernel/dwarf/debug-information";
import { SymbolBinding } from "@kernel-hotpatch/kernel/elf/format";
import type { ElfObject } from "@kernel-hotpatch/kernel/elf/object";
import { readElf } from "@kernel-hotpatch/kernel/elf/read";
import { type DebugFacts, readDebugFacts } from "./debug-facts.js";
import { groupedBy } from "./grouped.js";
import { contentOf, type Piece, readProgram } from "./program.js";
import { changesCode, type SourceChange, touchedFunctions } from "./source-change.js";

/** What the two objects prove about a change, in terms of a rule. */
export interface Label {
  readonly rule: string;
  /** Function, variable or type; absent where the whole file is meant. */
  readonly symbol?: string;
  /** Functions that the patch touches and that were inlined into `symbol`: a finding may as well name them. */
  readonly also: readonly string[];
  /** What differs, for a person to check. */
  readonly evidence: string;
  /** Why a finding about it is neither demanded nor wrong; absent where the objects leave no doubt. */
  readonly doubt?: string;
  /** Such a change cannot be hot patched: the verdict must not be `safe`. */
  readonly isUnsafe: boolean;
}

export interface Truth {
  readonly labels: readonly Label[];
  /** Functions outside of .init and .exit whose code differs. */
  readonly changed: readonly string[];
  /** Those of `changed` that no hunk touches. */
  readonly fanOut: readonly string[];
}

/** Rules whose cases cannot be hot patched. */
const UNSAFE: ReadonlySet<string> = new Set([
  "static-data-changed",
  "ops-table-changed",
  "percpu-changed",
  "section-placement",
  "static-local-removed",
  "init-code",
  "data-layout",
  "export-changed",
  "not-traceable",
  "not-built",
]);

/**
 * Tells what differs between two objects of one file. The object diff (kernel/src/objdiff) has no part in it.
 * @throws ElfError, RangeError for objects that cannot be read
 */
export function truthOf(orig: Uint8Array, patched: Uint8Array, change: SourceChange): Truth {
  const [before, after] = [readSide(orig), readSide(patched)];
  const touched = touchedFunctions(change, before.debug.signatures.keys(), before.debug.declarations);
  const also = (name: string) =>
    [...(before.debug.inlinedInto.get(name) ?? []), ...(after.debug.inlinedInto.get(name) ?? [])].filter(
      (inlined, index, all) => inlined !== name && touched.has(inlined) && all.indexOf(inlined) === index,
    );
  const functions = changedFunctions(before, after);
  const codeLabel = (rule: string, name: string) => {
    const own = touched.has(name) || also(name).length > 0;
    const doubt = own
      ? undefined
      : "neither it nor what is inlined into it is touched: a type, a macro or chance";
    return label(rule, name, functions.evidence(name), { also: also(name), doubt });
  };
  const layouts = layoutLabels(before.debug, after.debug);
  const labels = [
    ...layouts,
    ...dataLabels(before, after, change, new Set(layouts.map(({ symbol }) => symbol ?? ""))),
    ...functions.init.map((name) =>
      codeLabel(isExit(before.functions.get(name)) ? "exit-code" : "init-code", name),
    ),
    ...functions.text
      .filter((name) => !before.functions.get(name)?.some(({ isTraced }) => isTraced))
      .map((name) => codeLabel("not-traceable", name)),
    ...(isTraced(before)
      ? []
      : untracedLabels([...touched].filter((name) => !functions.text.includes(name)))),
    ...exportLabels(before.object, after.object),
    ...prototypeLabels(before, after, change),
    ...onceLabels(before, after),
  ];
  if (labels.every(({ doubt }) => doubt) && functions.text.length + functions.fresh.length === 0) {
    const evidence = "all functions and variables are the same in both objects";
    const doubt = "other words for the same compile to the same code, too";
    if (changesCode(change)) labels.push(label("compiled-out", undefined, evidence, { doubt }));
    else labels.push(label("no-functional-change", undefined, evidence));
  }
  return {
    labels,
    changed: functions.text,
    fanOut: functions.text.filter((name) => !touched.has(name)),
  };
}

/** The truth about a file that the configuration does not build. */
export const notBuiltTruth: Truth = {
  labels: [label("not-built", undefined, "Kbuild has no rule for it, and no unit that is built includes it")],
  changed: [],
  fanOut: [],
};

interface Side {
  readonly object: ElfObject;
  readonly debug: DebugFacts;
  readonly functions: ReadonlyMap<string, readonly Piece[]>;
  /** By name; static variables of functions by name and `.#`. */
  readonly data: ReadonlyMap<string, readonly Piece[]>;
}

function readSide(bytes: Uint8Array): Side {
  const object = readElf(bytes);
  const pieces = readProgram(object);
  const grouped = (kind: Piece["kind"]) =>
    groupedBy(
      pieces.filter((piece) => piece.kind === kind),
      ({ name, isNumbered }) => (isNumbered ? `${name}.#` : name),
    );
  return { object, debug: readDebugFacts(object), functions: grouped("function"), data: grouped("data") };
}

function label(
  rule: string,
  symbol: string | undefined,
  evidence: string,
  more: { also?: readonly string[]; doubt?: string | undefined; isUnsafe?: boolean } = {},
): Label {
  return {
    rule,
    ...(symbol !== undefined && { symbol }),
    also: more.also ?? [],
    evidence,
    ...(more.doubt !== undefined && { doubt: more.doubt }),
    isUnsafe: more.doubt === undefined && (more.isUnsafe ?? UNSAFE.has(rule)),
  };
}

const isInit = (place: string) => /^\.(init|exit)\./.test(place);
const isExit = (pieces: readonly Piece[] | undefined) =>
  pieces?.some(({ place }) => /^\.exit\./.test(place)) ?? false;

function changedFunctions(before: Side, after: Side) {
  const init: string[] = [];
  const text: string[] = [];
  const evidence = (name: string) =>
    `${name} (${differences(before.functions.get(name) ?? [], after.functions.get(name) ?? [])})`;
  for (const [name, pieces] of before.functions) {
    const others = after.functions.get(name);
    if (others === undefined || same(pieces, others)) continue;
    if (pieces.some(({ place }) => isInit(place))) init.push(name);
    else text.push(name);
  }
  const fresh = [...after.functions.keys()].filter((name) => !before.functions.has(name));
  return { init, text, fresh, evidence };
}

function isTraced({ functions }: Side): boolean {
  return [...functions.values()].some((pieces) => pieces.some((piece) => piece.isTraced));
}

/** What is only inlined, or whose code stays the same, has no entry either. */
function untracedLabels(touched: readonly string[]): Label[] {
  const doubt = "its own code is nowhere, or stays the same";
  return touched.map((name) =>
    label("not-traceable", name, "no function of the file has a ftrace entry", { doubt }),
  );
}

/** Pieces of one name: as a set, since their numbers mean nothing. */
function same(before: readonly Piece[], after: readonly Piece[]): boolean {
  const contents = (pieces: readonly Piece[]) =>
    pieces.map((piece) => `${piece.part} ${contentOf(piece)}`).sort();
  return contents(before).join("\n") === contents(after).join("\n");
}

/** What differs, in words: the sizes, the first byte, the first reference. */
function differences(before: readonly Piece[], after: readonly Piece[]): string {
  const kept = new Set(after.map(contentOf));
  const lost = new Set(before.map(contentOf));
  const was = before.find((piece) => !kept.has(contentOf(piece)));
  const is = after.find((piece) => !lost.has(contentOf(piece)));
  if (was === undefined || is === undefined) return `${before.length} before, ${after.length} after`;
  const found: string[] = [];
  if (was.size !== is.size) found.push(`size ${was.size} -> ${is.size}`);
  const byte = was.bytes.findIndex((value, at) => value !== is.bytes[at]);
  if (byte >= 0 && byte < is.size) found.push(`byte ${byte}: ${was.bytes[byte]} -> ${is.bytes[byte]}`);
  const place = [...new Set([...was.references.keys(), ...is.references.keys()])]
    .sort((a, b) => a - b)
    .find((at) => was.references.get(at) !== is.references.get(at));
  if (place !== undefined)
    found.push(`at ${place}: ${was.references.get(place) ?? "-"} -> ${is.references.get(place) ?? "-"}`);
  return found.join(", ");
}

/** What macros make for one place in the code or for tables of the build; a change of them is told by other rules. */
const GENERATED =
  /^(__UNIQUE_ID_|__ksymtab_|__kstrtab|__crc_|__export_symbol_|__addressable_|__param_|__mod_|__(func|FUNCTION|PRETTY_FUNCTION)__|_entry(_ptr)?(\.#)?$|descriptor\.#|__key\.#|_rs\.#|CSWTCH|__compound_literal|C\.#|__setup_|__event_|event_(enter|exit)_|__tracepoint_|__tpstrtab_|__bpf_trace_|___tp_str|types__|args__|__syscall_meta_|__p_syscall_meta_|__SC[KT]__|__initcall|__exitcall|_kbl_addr_|_eil_addr_|__BTF_ID__)/;
const ONCE = /^(__already_done|__warned|__print_once|___done|__done|___once_key|__once_key)\.#$/;

function dataLabels(before: Side, after: Side, change: SourceChange, layouts: ReadonlySet<string>): Label[] {
  const labels: Label[] = [];
  const isOurs = (key: string) => !GENERATED.test(key) && !ONCE.test(key);
  for (const [key, was] of before.data) {
    if (!isOurs(key)) continue;
    const is = after.data.get(key);
    const name = was[0]?.name ?? key;
    const isLocal = key.endsWith(".#");
    if (is === undefined || is.length < was.length) {
      const doubt = isOwnConstant(was[0])
        ? OWN_CONSTANT
        : declares(change.after, name, isLocal)
          ? "the source still declares it"
          : undefined;
      const evidence = `in ORIG.o ${was.length} times (${was[0]?.place}), in PATCHED.o ${is?.length ?? 0}`;
      if (was.some(({ place }) => isInit(place)))
        labels.push(label("init-code", name, evidence, { doubt: "only removed" }));
      else labels.push(label(isLocal ? "static-local-removed" : "data-removed", name, evidence, { doubt }));
      continue;
    }
    if (is.length > was.length || same(was, is)) {
      const [from, to] = [was[0]?.place ?? "", is[0]?.place ?? ""];
      if (is.length === was.length && from !== to)
        labels.push(label("section-placement", name, `from ${from} to ${to}`));
      continue;
    }
    labels.push(changedData(before, after, name, was, is, layouts));
  }
  for (const [key, is] of after.data) {
    const count = before.data.get(key)?.length ?? 0;
    if (!isOurs(key) || is.length <= count) continue;
    const name = is[0]?.name ?? key;
    const evidence = `in ORIG.o ${count} times, in PATCHED.o ${is.length} (${is[0]?.place})`;
    const place = is[0]?.place ?? "";
    if (isInit(place)) labels.push(label("init-code", name, evidence, { doubt: "only added" }));
    else if (isPerCpu(place)) labels.push(label("percpu-changed", name, evidence));
    else {
      const isLocal = key.endsWith(".#");
      const doubt = isOwnConstant(is[0])
        ? OWN_CONSTANT
        : declares(change.before, name, isLocal)
          ? "the source declared it before"
          : undefined;
      labels.push(label(isLocal ? "static-local-added" : "data-added", name, evidence, { doubt }));
    }
  }
  return labels;
}

function changedData(
  before: Side,
  after: Side,
  name: string,
  was: readonly Piece[],
  is: readonly Piece[],
  layouts: ReadonlySet<string>,
): Label {
  const evidence = `${was[0]?.place}: ${differences(was, is)}`;
  const place = was[0]?.place ?? "";
  if (isInit(place)) return label("init-code", name, evidence);
  const held = [...before.debug.heldBy(name), ...after.debug.heldBy(name)].find((type) => layouts.has(type));
  const doubt =
    held !== undefined
      ? `follows from the layout of ${held}`
      : isOwnConstant(was[0])
        ? OWN_CONSTANT
        : undefined;
  if (isPerCpu(place)) return label("percpu-changed", name, evidence, { doubt });
  const table = before.debug.isOpsTable(name) && changesOnlyPointers(was, is);
  return label(table ? "ops-table-changed" : "static-data-changed", name, evidence, { doubt });
}

/** Such as the text of NL_SET_ERR_MSG (include/linux/netlink.h), or a function's own table. */
const isOwnConstant = (piece: Piece | undefined) => piece?.isNumbered === true && piece.place === "rodata";
const OWN_CONSTANT = "read-only and known to one function, which brings its own along";

const isPerCpu = (place: string) => place.startsWith(".data..percpu");

/** Whether all that differs are addresses, and as many bytes as before. */
function changesOnlyPointers(before: readonly Piece[], after: readonly Piece[]): boolean {
  return before.every((was, index) => {
    const is = after[index];
    return is !== undefined && was.size === is.size && Buffer.from(was.bytes).equals(is.bytes);
  });
}

/** Whether a text may declare the variable; the compiler drops variables that come to be of no use. */
function declares(text: string, name: string, isLocal: boolean): boolean {
  return mentions((text.match(isLocal ? /\bstatic\b[^;{}]*/g : /^\w[^;{}]*/gm) ?? []).join("\n"), name);
}

function mentions(text: string, name: string): boolean {
  return new RegExp(`\\b${name.replaceAll(/\W/g, "\\$&")}\\b`).test(text);
}

function onceLabels(before: Side, after: Side): Label[] {
  const count = ({ data }: Side) =>
    [...data].filter(([key]) => ONCE.test(key)).reduce((sum, [, pieces]) => sum + pieces.length, 0);
  const [was, is] = [count(before), count(after)];
  return was === is ? [] : [label("once-macro", undefined, `${was} hidden flags before, ${is} after`)];
}

/** Types that both objects know; gcc writes down only those that are used. */
function layoutLabels(before: DebugFacts, after: DebugFacts): Label[] {
  const key = ({ keyword, name }: TypeLayout) => `${keyword} ${name}`;
  const old = groupedBy(before.types, key);
  const labels: Label[] = [];
  for (const [name, types] of groupedBy(after.types, key)) {
    const others = old.get(name);
    if (others === undefined) continue;
    const shape = (type: TypeLayout) => describe(type, true);
    const [was, is] = [others.map(shape), types.map(shape)];
    // Of several types of one name, in functions, one may be used only before or only after.
    if (was.every((one) => is.includes(one)) || is.every((one) => was.includes(one))) continue;
    const isEnum = types[0]?.keyword === "enum";
    const nameless = (type: TypeLayout) => describe(type, false);
    const doubt =
      !isEnum && others.map(nameless).join() === types.map(nameless).join()
        ? "only names of members differ"
        : undefined;
    labels.push(
      label(isEnum ? enumRule(others, types) : "data-layout", name, firstDifference(others[0], types[0]), {
        doubt,
      }),
    );
  }
  return labels;
}

function enumRule(before: readonly TypeLayout[], after: readonly TypeLayout[]): string {
  if (before[0]?.size !== after[0]?.size) return "data-layout";
  const now = new Map(after.flatMap(({ members }) => members.map(({ name, offset }) => [name, offset])));
  const moved = before.some(({ members }) => members.some(({ name, offset }) => now.get(name) !== offset));
  return moved ? "constant-meaning" : "enumerator-added";
}

function describe({ size, members }: TypeLayout, withNames: boolean): string {
  const words = members.map(
    ({ name, offset, bits, type }) => `${withNames ? name : ""} ${type} ${offset} ${bits}`,
  );
  return `${size}: ${words.join(", ")}`;
}

function firstDifference(before: TypeLayout | undefined, after: TypeLayout | undefined): string {
  const member = (type: TypeLayout | undefined, at: number) => {
    const found = type?.members[at];
    return found ? `${found.type} ${found.name} at bit ${found.offset}` : "-";
  };
  const count = Math.max(before?.members.length ?? 0, after?.members.length ?? 0);
  const at = Array.from({ length: count }, (_, index) => index).find(
    (index) => member(before, index) !== member(after, index),
  );
  const sizes = `size ${before?.size} -> ${after?.size}`;
  return at === undefined ? sizes : `${sizes}, member ${at}: ${member(before, at)} -> ${member(after, at)}`;
}

/** `__ksymtab_NAME` (include/linux/export.h, up to 6.4) and `__export_symbol_NAME` (since). */
function exportLabels(before: ElfObject, after: ElfObject): Label[] {
  const exports = (object: ElfObject) =>
    new Map(
      object.symbols.flatMap(({ name, section }) => {
        const symbol = /^__(?:ksymtab|export_symbol)_(?!gpl$|strings$)(.+)$/.exec(name)?.[1];
        if (symbol === undefined || typeof section === "string") return [];
        return [[symbol, section.name.replace(`+${symbol}`, "")] as const];
      }),
    );
  const [was, is] = [exports(before), exports(after)];
  return [...new Set([...was.keys(), ...is.keys()])]
    .filter((symbol) => was.get(symbol) !== is.get(symbol))
    .map((symbol) =>
      label("export-changed", symbol, `${was.get(symbol) ?? "none"} -> ${is.get(symbol) ?? "none"}`),
    );
}

function prototypeLabels(before: Side, after: Side, change: SourceChange): Label[] {
  const labels: Label[] = [];
  const isGlobal = (name: string) =>
    before.object.symbols.some((symbol) => symbol.name === name && symbol.binding !== SymbolBinding.LOCAL);
  for (const [name, was] of before.debug.signatures) {
    const is = after.debug.signatures.get(name);
    if (is !== undefined && is !== was)
      labels.push(label("prototype-changed", name, `${was} -> ${is}`, { isUnsafe: isGlobal(name) }));
    if (is === undefined && before.debug.declarations.get(name)?.file.endsWith(`/${change.path}`))
      labels.push(
        label("function-removed", name, "a definition in ORIG.o only", {
          doubt: mentions(change.after, name) ? "the source still has the name" : undefined,
        }),
      );
  }
  return labels;
}
