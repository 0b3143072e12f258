import { SectionFlag } from "../elf/format.js";
import type { ElfObject } from "../elf/object.js";
import { ElfError, readElf } from "../elf/read.js";
import { Fault } from "../host/fault.js";
import type { Observation } from "../observation.js";
import { architectureOf } from "./architecture.js";
import { assemble } from "./assemble.js";
import { type AtomicObject, isAtom, takeApart } from "./atoms.js";
import { comparer } from "./compare.js";
import { type Correlation, correlate } from "./correlate.js";
import { type Judgement, judge } from "./judge.js";
import type { ObjectDiff } from "./report.js";
import { type Selection, select } from "./select.js";

export interface ObjectPair {
  /** Contents of ORIG.o and PATCHED.o: the same translation unit, compiled with -ffunction-sections -fdata-sections. */
  readonly orig: Uint8Array;
  readonly patched: Uint8Array;
  /** How the report calls them. */
  readonly names: { readonly orig: string; readonly patched: string };
}

export interface DiffResult {
  readonly report: ObjectDiff;
  /** What a hot patch has to carry; absent unless the outcome is `carried`. */
  readonly carried?: ElfObject;
}

/**
 * Compares two objects, decides what a hot patch has to carry and what stands in the way.
 * @throws Fault `bad-input` when a file is no relocatable ELF object, or the two cannot be compared
 */
export function diffObjects({ orig, patched, names }: ObjectPair): DiffResult {
  const before = open(orig, names.orig);
  const after = open(patched, names.patched);
  if (before.architecture !== after.architecture)
    throw new Fault(
      "bad-input",
      `${names.orig} is for ${before.architecture.arch}, ${names.patched} for ${after.architecture.arch}`,
    );
  const correlation = correlate(before, after);
  const same = comparer(correlation, before.architecture);
  const judgement = judge(before, after, correlation, same);
  const selection = select(after, correlation, judgement.changed);
  const refusals = [...judgement.refusals, ...selection.refusals];
  const outcome = refusals.length > 0 ? "refused" : judgement.changed.length > 0 ? "carried" : "unchanged";
  const report: ObjectDiff = {
    orig: names.orig,
    patched: names.patched,
    arch: before.architecture.arch,
    outcome,
    changed: judgement.changed.map((atom) => correlation.origOf.get(atom)?.name ?? atom.name).sort(),
    new: selection.newFunctions.map((atom) => atom.name).sort(),
    removed: correlation.removed.filter((atom) => atom.kind === "function").map((atom) => atom.name),
    data: selection.newData.map(({ name }) => ({ name, why: "new variable, lives in the patch module" })),
    refusals,
    remarks: [...judgement.remarks, ...escapes(after, correlation, judgement, selection)],
  };
  if (outcome !== "carried") return { report };
  const carried = assemble(before, after, correlation, new Set(judgement.changed), selection);
  return { report, carried };
}

function open(bytes: Uint8Array, name: string): AtomicObject {
  let object: ElfObject;
  try {
    object = readElf(bytes);
  } catch (cause) {
    if (cause instanceof ElfError) throw new Fault("bad-input", `${name}: ${cause.message}`, { cause });
    throw cause;
  }
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
  { changed }: Judgement,
  { carried }: Selection,
): Observation[] {
  const redirected = new Set(changed);
  const escaping = new Map<string, string>();
  for (const atom of carried)
    for (const { target, type, at } of atom.references)
      if (isAtom(target) && target.kind === "function" && at === 0 && architecture.pointers.has(type))
        if (target !== atom && !origOf.has(target) && !redirected.has(target))
          escaping.set(target.name, atom.name);
  return [...escaping].map(([name, user]) => ({
    rule: "escaping-pointer",
    symbol: name,
    message: `the address of the new function '${name}' is stored by '${user}'; unloading the patch would leave it dangling`,
  }));
}
