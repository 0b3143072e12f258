import { type DebugInformation, readDebugInformation, readProducer } from "../dwarf/debug-information.js";
import { CODE_TAGS, type CodeInformation, readCodeInformation } from "../dwarf/functions.js";
import { readUnits } from "../dwarf/units.js";
import { SectionFlag } from "../elf/format.js";
import type { ElfObject, ElfSection } from "../elf/object.js";
import { ElfError, readElf } from "../elf/read.js";
import { Fault } from "../host/fault.js";
import type { Observation } from "../observation.js";
import { architectureOf } from "./architecture.js";
import { assemble } from "./assemble.js";
import { type Atom, type AtomicObject, isAtom, isToEntry, takeApart } from "./atoms.js";
import { incomparable } from "./comparable.js";
import { comparer } from "./compare.js";
import { compareTypes } from "./compare-types.js";
import { type Correlation, correlate, type Declared, withoutNumbers } from "./correlate.js";
import { contradictions } from "./entry-sizes.js";
import { type Edits, explain } from "./explain.js";
import { judge } from "./judge.js";
import { type CallbackKind, followMarks, readMarks, type SystemState } from "./marks.js";
import type { ObjectDiff } from "./report.js";
import { type Selection, select } from "./select.js";

/** An object ready to be compared. */
export interface OpenObject {
  /** How the report calls it. */
  readonly name: string;
  readonly atomic: AtomicObject;
  /**
   * What the compiler wrote for debuggers; undefined when it wrote nothing. Read when asked for the first time.
   * @throws Fault `bad-input` when it is damaged
   */
  readonly information: () => DebugInformation | undefined;
  /** The compiler and its options, as far as it tells them; likewise. */
  readonly producer: () => string | undefined;
  /** What it says of functions and their static variables, likewise. */
  readonly code: () => CodeInformation | undefined;
}

/**
 * Reads an object and takes it apart. ORIG.o can be opened while PATCHED.o is still being compiled.
 * @param bytes a translation unit compiled with -ffunction-sections -fdata-sections
 * @param name how the report calls it
 * @throws Fault `bad-input` when it is no relocatable ELF object, of an unknown machine, or not compiled like that
 */
export function openObject(bytes: Uint8Array, name: string): OpenObject {
  if (isBitcode(bytes))
    throw new Fault(
      "bad-input",
      `${name} is LLVM bitcode: a kernel with CONFIG_LTO_CLANG has no objects to compare`,
      {
        remedy: "compile it without -flto, or patch a kernel that is built without link-time optimisation",
      },
    );
  const object = reading(name, () => readElf(bytes));
  // Whoever asks for one asks for the other: read once, in one go.
  const units = once(() => {
    const read = readUnits(object, CODE_TAGS);
    return read && [...read];
  });
  return {
    name,
    atomic: reading(name, () => apart(object, name)),
    producer: once(() => reading(name, () => readProducer(object))),
    information: once(() => reading(name, () => readDebugInformation(object, units()))),
    code: once(() => reading(name, () => readCodeInformation(object, units()))),
  };
}

/** Plain, and wrapped for other tools (LLVM Bitcode File Format, "Magic Numbers", "Bitcode Wrapper Format"). */
function isBitcode(bytes: Uint8Array): boolean {
  return [
    [0x42, 0x43, 0xc0, 0xde],
    [0xde, 0xc0, 0x17, 0x0b],
  ].some((magic) => magic.every((byte, index) => bytes[index] === byte));
}

function once<T>(read: () => T): () => T {
  let result: { readonly value: T } | undefined;
  return () => {
    result ??= { value: read() };
    return result.value;
  };
}

function reading<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof ElfError || cause instanceof RangeError)
      throw new Fault("bad-input", `${name}: ${cause.message}`, { cause });
    throw cause;
  }
}

export interface DiffResult {
  readonly report: ObjectDiff;
  /** What a hot patch has to carry; absent unless the outcome is `carried`. */
  readonly carried?: ElfObject;
  /** Functions that the livepatch core is to call, by their names in what is carried. */
  readonly callbacks: readonly { readonly kind: CallbackKind; readonly name: string }[];
  readonly states: readonly SystemState[];
}

/**
 * Compares ORIG.o and PATCHED.o of one translation unit, decides what a hot patch has to carry and what stands in the
 * way.
 * @param options `sameTypes`: it is known from the source that no type differs, and reading them all can be saved;
 *   `edits`: what the author of the patch wrote, so that only what he did not expect is explained
 * @throws Fault `bad-input` when the two cannot be compared
 */
export function diffObjects(
  orig: OpenObject,
  patched: OpenObject,
  options: { readonly sameTypes?: boolean; readonly edits?: Edits } = {},
): DiffResult {
  const [before, after] = [orig.atomic, patched.atomic];
  // Whoever knows the source has compiled both alike.
  const difference = incomparable(orig, patched, { producers: !options.sameTypes });
  if (difference !== undefined)
    throw new Fault("bad-input", difference, {
      remedy: "compile both with one compiler, one configuration and the same options",
    });
  const correlation = correlate(before, after, () => declarations(orig, patched));
  const comparison = comparer(correlation, before.architecture);
  const types = options.sameTypes ? [] : differingTypes(orig, patched);
  const [layouts, meanings] = [types.filter(isLayout), types.filter((type) => !isLayout(type))];
  const marks = readMarks(after);
  const sizes = options.sameTypes ? [] : contradictions(patched);
  const judged = judge(before, after, correlation, comparison);
  const judgement = followMarks(
    { ...judged, refusals: [...layouts, ...sizes, ...judged.refusals] },
    marks,
    correlation,
  );
  const carriedAlong = { ...judgement, changed: new Set(judgement.changed) };
  const selection = select(
    after,
    correlation,
    carriedAlong,
    marks.callbacks.map(({ atom }) => atom),
  );
  const locate = (observation: Observation) => located(observation, patched);
  const refusals = [...judgement.refusals, ...selection.refusals].map(locate);
  const explanations = reading(`${orig.name} or ${patched.name}`, () =>
    explain(
      { orig, patched },
      {
        correlation,
        comparison,
        judgement,
        types: types.map(({ symbol }) => symbol ?? ""),
        edits: options.edits,
      },
    ),
  );
  const outcome = refusals.length > 0 ? "refused" : selection.carried.size > 0 ? "carried" : "unchanged";
  const report: ObjectDiff = {
    orig: orig.name,
    patched: patched.name,
    arch: before.architecture.arch,
    outcome,
    changed: judgement.changed.map((atom) => correlation.origOf.get(atom)?.name ?? atom.name).sort(),
    new: selection.newFunctions.map((atom) => atom.name).sort(),
    removed: correlation.removed.filter((atom) => atom.kind === "function").map((atom) => atom.name),
    data: selection.newData.map(({ name }) => ({ name, why: "new variable, lives in the patch module" })),
    refusals,
    remarks: [...meanings, ...judgement.remarks, ...escapes(correlation, selection), ...explanations].map(
      locate,
    ),
  };
  const callbacks = marks.callbacks.map(({ kind, atom }) => ({ kind, name: atom.name }));
  const { states } = marks;
  if (outcome !== "carried") return { report, callbacks, states };
  const carried = assemble(before, after, correlation, carriedAlong, selection);
  return { report, carried, callbacks, states };
}

/** By the atoms that the variables became. */
function declarations(orig: OpenObject, patched: OpenObject): [Declared, Declared] | undefined {
  const [before, after] = [orig.code(), patched.code()];
  if (before === undefined || after === undefined) return undefined;
  return [declared(orig, before), declared(patched, after)];
}

function declared({ name, atomic: { atoms } }: OpenObject, { locals }: CodeInformation): Declared {
  const places = new Map<ElfSection, Map<number, Atom>>();
  for (const atom of atoms) {
    const here = places.get(atom.section) ?? new Map<number, Atom>();
    places.set(atom.section, here.set(atom.start, atom));
  }
  const known = new Map<Atom, { owner: string; ordinal: number }>();
  for (const { section, offset, owner, ordinal } of reading(name, locals)) {
    const atom = places.get(section)?.get(offset);
    if (atom) known.set(atom, { owner, ordinal });
  }
  return known;
}

function differingTypes(orig: OpenObject, patched: OpenObject): Observation[] {
  const [before, after] = [orig.information(), patched.information()];
  return before && after ? compareTypes(before, after) : [];
}

function isLayout({ rule, severity }: Observation): boolean {
  return rule === "data-layout" && severity === undefined;
}

/** Adds where the symbol is declared, if the debug information knows. */
function located(observation: Observation, { information }: OpenObject): Observation {
  if (observation.file !== undefined || observation.symbol === undefined) return observation;
  const declarations = information()?.declarations;
  const declaration =
    declarations?.get(observation.symbol) ??
    declarations?.get(withoutNumbers(observation.symbol).replace(CLONE, ""));
  return declaration && declaration.file !== "" ? { ...observation, ...declaration } : observation;
}

const CLONE = /\.(isra|constprop|part|cold)\b/g;

function apart(object: ElfObject, name: string): AtomicObject {
  const architecture = architectureOf(object);
  if (architecture === undefined)
    throw new Fault("bad-input", `${name}: objects for ELF machine ${object.machine} are not supported`);
  const code = object.sections.filter(
    (section) => section.flags & SectionFlag.EXECINSTR && section.data.length > 0,
  );
  if (
    code.some((section) => section.name === ".text") &&
    !code.some((section) => section.name.startsWith(".text."))
  )
    throw new Fault("bad-input", `${name}: all functions are in one section`, {
      remedy: "compile it with -ffunction-sections -fdata-sections",
    });
  return takeApart(object, architecture);
}

/** New code whose address is stored: an object that outlives the patch may keep it. */
function escapes({ origOf }: Correlation, { carried }: Selection): Observation[] {
  const escaping = new Map<string, string>();
  for (const atom of carried)
    for (const reference of atom.references) {
      const { target, address } = reference;
      if (!isAtom(target) || target.kind !== "function" || target === atom || origOf.has(target)) continue;
      if (address && isToEntry(reference)) escaping.set(target.name, atom.name);
    }
  return [...escaping].map(([name, user]) => ({
    rule: "escaping-pointer",
    symbol: name,
    message: `the address of the new function '${name}' is stored by '${user}'; unloading the patch would leave it dangling`,
  }));
}
