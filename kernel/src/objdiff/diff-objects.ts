import { type DebugInformation, readDebugInformation } from "../dwarf/debug-information.js";
import { SectionFlag } from "../elf/format.js";
import type { ElfObject } from "../elf/object.js";
import { ElfError, readElf } from "../elf/read.js";
import { Fault } from "../host/fault.js";
import type { Observation } from "../observation.js";
import { architectureOf } from "./architecture.js";
import { assemble } from "./assemble.js";
import { type AtomicObject, isAtom, takeApart } from "./atoms.js";
import { comparer } from "./compare.js";
import { compareTypes } from "./compare-types.js";
import { type Correlation, correlate, withoutNumbers } from "./correlate.js";
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
}

/**
 * Reads an object and takes it apart. ORIG.o can be opened while PATCHED.o is still being compiled.
 * @param bytes a translation unit compiled with -ffunction-sections -fdata-sections
 * @param name how the report calls it
 * @throws Fault `bad-input` when it is no relocatable ELF object, of an unknown machine, or not compiled like that
 */
export function openObject(bytes: Uint8Array, name: string): OpenObject {
  const object = reading(name, () => readElf(bytes));
  let information: { known: DebugInformation | undefined } | undefined;
  return {
    name,
    atomic: apart(object, name),
    information: () => {
      information ??= { known: reading(name, () => readDebugInformation(object)) };
      return information.known;
    },
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
 * @param options `sameTypes`: it is known from the source that no type differs, and reading them all can be saved
 * @throws Fault `bad-input` when the two cannot be compared
 */
export function diffObjects(
  orig: OpenObject,
  patched: OpenObject,
  options: { readonly sameTypes?: boolean } = {},
): DiffResult {
  const [before, after] = [orig.atomic, patched.atomic];
  if (before.architecture !== after.architecture)
    throw new Fault(
      "bad-input",
      `${orig.name} is for ${before.architecture.arch}, ${patched.name} for ${after.architecture.arch}`,
    );
  const correlation = correlate(before, after);
  const same = comparer(correlation, before.architecture);
  const types = options.sameTypes ? [] : differingTypes(orig, patched);
  const [layouts, meanings] = [types.filter(isLayout), types.filter((type) => !isLayout(type))];
  const marks = readMarks(after);
  const judged = judge(before, after, correlation, same);
  const judgement = followMarks(
    { ...judged, refusals: [...layouts, ...judged.refusals] },
    marks,
    correlation,
  );
  const selection = select(
    after,
    correlation,
    judgement.changed,
    marks.callbacks.map(({ atom }) => atom),
  );
  const locate = (observation: Observation) => located(observation, patched);
  const refusals = [...judgement.refusals, ...selection.refusals].map(locate);
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
    remarks: [...meanings, ...judgement.remarks, ...escapes(after, correlation, selection)].map(locate),
  };
  const callbacks = marks.callbacks.map(({ kind, atom }) => ({ kind, name: atom.name }));
  const { states } = marks;
  if (outcome !== "carried") return { report, callbacks, states };
  const carried = assemble(before, after, correlation, new Set(judgement.changed), selection);
  return { report, carried, callbacks, states };
}

function differingTypes(orig: OpenObject, patched: OpenObject): Observation[] {
  const [before, after] = [orig.information(), patched.information()];
  return before && after ? compareTypes(before, after) : [];
}

function isLayout({ rule }: Observation): boolean {
  return rule === "data-layout";
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
  const architecture = architectureOf(object.machine);
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
function escapes(
  { architecture }: AtomicObject,
  { origOf }: Correlation,
  { carried }: Selection,
): Observation[] {
  const escaping = new Map<string, string>();
  for (const atom of carried)
    for (const { target, type, at } of atom.references)
      if (isAtom(target) && target.kind === "function" && at === 0 && architecture.pointers.has(type))
        if (target !== atom && !origOf.has(target)) escaping.set(target.name, atom.name);
  return [...escaping].map(([name, user]) => ({
    rule: "escaping-pointer",
    symbol: name,
    message: `the address of the new function '${name}' is stored by '${user}'; unloading the patch would leave it dangling`,
  }));
}
