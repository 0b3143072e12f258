import { SectionFlag, SymbolBinding, SymbolType } from "../elf/format.js";
import type { Observation } from "../observation.js";
import type { ObjectArchitecture } from "./architecture.js";
import { type Atom, type AtomicObject, isAtom, isReadOnly, usedBytesOf } from "./atoms.js";
import type { Comparer } from "./compare.js";
import { type Correlation, placement, withoutNumbers } from "./correlate.js";
import {
  describeEntry,
  holdsVariables,
  isHarmless,
  MACHINERY,
  machineryOf,
  sourceNameOf,
} from "./machinery.js";

/** What is carried because it changed. */
export interface Judgement {
  /** Functions of PATCHED that are redirected, cold parts counted as their function's. */
  readonly changed: readonly Atom[];
  /** Functions that cannot be redirected; those that call them are, and bring the patched one along. */
  readonly copied: ReadonlySet<Atom>;
  /** Constants that change with all the functions that use them. */
  readonly replaced: ReadonlySet<Atom>;
  /** Why a function is among the changed that would be the same by itself. */
  readonly dragged: ReadonlyMap<Atom, string>;
  readonly refusals: readonly Observation[];
  readonly remarks: readonly Observation[];
}

/** Sections in which new variables can be carried by a module. */
const CARRIES_NEW_DATA = /^\.(data|bss|rodata)($|\.(?!\.percpu))|^__dyndbg$|^__verbose$/;

/**
 * Decides what changed and what stands in the way; all reasons, not the first.
 */
export function judge(
  orig: AtomicObject,
  patched: AtomicObject,
  correlation: Correlation,
  { same }: Comparer,
): Judgement {
  const { origOf } = correlation;
  const refusals: Observation[] = [...correlation.ambiguous];
  for (const section of patched.unreadable)
    refusals.push({
      rule: "unsupported-section",
      section,
      message: `the entries of section ${section} cannot be told apart`,
    });

  const parents = parentsOf(patched.atoms);
  const changed = new Set<Atom>();
  const copied = new Set<Atom>();
  const replaced = new Set<Atom>();
  const dragged = new Map<Atom, string>();
  const uses = { orig: usesOf(orig, parentsOf(orig.atoms)), patched: usesOf(patched, parents) };
  const queue: Atom[] = [];
  const change = (atom: Atom, why?: string) => {
    if (changed.has(atom)) return;
    changed.add(atom);
    if (why !== undefined) dragged.set(atom, why);
    queue.push(atom);
  };

  for (const atom of patched.atoms) {
    const other = origOf.get(atom);
    if (other === undefined) continue;
    if (atom.kind === "function") {
      if (isSanitizers(atom) || same(other, atom)) continue;
      const owner = parents.get(atom) ?? atom;
      // A cold part follows its function; a function that is new is carried anyway.
      if (origOf.has(owner)) change(owner);
    } else if (atom.kind === "data" && holdsVariables(atom)) {
      if (!same(other, atom)) {
        const stuck = whyNotReplaced(other, atom, uses);
        if (stuck === undefined) replaced.add(atom);
        else refusals.push(stuck);
      } else if (placement(other) !== placement(atom))
        refusals.push({
          rule: "section-placement",
          symbol: atom.name,
          section: atom.section.name,
          message: `variable '${atom.name}' moves from section ${other.section.name} to ${atom.section.name}`,
        });
    }
  }
  for (const constant of replaced)
    for (const { user } of uses.patched(constant))
      if (user.kind === "function" && origOf.has(user))
        change(user, `it uses the constant '${constant.name}', which changed`);

  const stays: Observation[] = [];
  const settled = new Set<Atom>();
  for (let atom = queue.pop(); atom !== undefined; atom = queue.pop()) {
    const origAtom = origOf.get(atom);
    if (origAtom === undefined) continue;
    const reason = whyNotRedirected(origAtom, orig.architecture) ?? otherType(origAtom, atom, uses.patched);
    if (reason === undefined) continue;
    changed.delete(atom);
    if (settled.has(atom)) continue;
    settled.add(atom);
    if (reason.rule === "exit-code") {
      stays.push(exitRemark(origAtom));
      continue;
    }
    const callers =
      reason.rule === "not-traceable" ? callersOf(origAtom, atom, uses, correlation) : undefined;
    if (callers === undefined) {
      const why = dragged.get(atom);
      refusals.push(why === undefined ? reason : { ...reason, message: `${reason.message}; ${why}` });
      continue;
    }
    copied.add(atom);
    for (const caller of callers)
      if (!copied.has(caller)) change(caller, `it calls '${atom.name}', which cannot be redirected`);
  }

  const remarks: Observation[] = [
    ...stays,
    ...[...replaced].map(replacementRemark),
    ...[...copied].map((atom) => copyRemark(atom, uses.patched)),
    ...[...changed].filter(isWeak).map(weakRemark),
    ...removalRemarks(correlation),
  ];
  for (const found of tableObservations(orig, patched, correlation, same))
    (found.severity === undefined ? refusals : remarks).push(found);
  return { changed: [...changed], copied, replaced, dragged, refusals, remarks };
}

/** Who uses something, and whether it takes its address; constants in between are looked through. */
type Uses = (target: Atom) => readonly Use[];

interface Use {
  readonly user: Atom;
  readonly address: boolean;
}

/** Of most patches, nobody asks. */
function usesOf({ atoms }: AtomicObject, parents: ReadonlyMap<Atom, Atom>): Uses {
  let direct: ReadonlyMap<Atom, readonly Use[]> | undefined;
  return (target) => {
    direct ??= directUses(atoms, parents);
    const found = new Map<Atom, boolean>();
    const seen = new Set<Atom>();
    const queue = [...(direct.get(target) ?? [])];
    for (let use = queue.pop(); use !== undefined; use = queue.pop()) {
      const { user, address } = use;
      if (user === target || seen.has(user)) continue;
      if (user.kind === "constant") {
        seen.add(user);
        for (const outer of direct.get(user) ?? []) queue.push({ ...outer, address: true });
      } else found.set(user, (found.get(user) ?? false) || address);
    }
    return [...found].map(([user, address]) => ({ user, address }));
  };
}

function directUses(atoms: readonly Atom[], parents: ReadonlyMap<Atom, Atom>): Map<Atom, Use[]> {
  const uses = new Map<Atom, Use[]>();
  for (const atom of atoms) {
    if (isSanitizers(atom)) continue;
    for (const part of [atom, ...atom.entries])
      for (const { target, address } of part.references) {
        // What describes the code in a table belongs to the code.
        if (!isAtom(target) || (part.kind === "entry" && target.kind === "function")) continue;
        const list = uses.get(target) ?? [];
        uses.set(target, list);
        list.push({ user: parents.get(atom) ?? atom, address });
      }
  }
  return uses;
}

interface BothUses {
  readonly orig: Uses;
  readonly patched: Uses;
}

/**
 * A constant of this file alone, in which there is no function, can change with the functions that use it: all are in
 * this object. Objects made before the patch may still point to the old one, which stays as it was.
 */
function whyNotReplaced(orig: Atom, patched: Atom, uses: BothUses): Observation | undefined {
  const refusal = changedData(orig, patched);
  const isOwn = ({ section, symbols, references }: Atom) =>
    isReadOnly(section) &&
    isLocal({ symbols }) &&
    references.every(({ target }) => isAtom(target) && target.kind !== "function");
  if (!isOwn(orig) || !isOwn(patched)) return refusal;
  const users = [...uses.orig(orig), ...uses.patched(patched)].map(({ user }) => user);
  const holder = users.find((user) => user.kind !== "function");
  if (holder)
    return {
      ...refusal,
      message: `${refusal.message}; '${sourceNameOf(holder) || holder.section.name}' points to it`,
    };
  const once = users.find((user) => machineryOf(user) !== undefined);
  if (once)
    return {
      ...refusal,
      message: `${refusal.message}; '${sourceNameOf(once)}' has run and may have passed it on`,
    };
  return undefined;
}

function replacementRemark({ name, section }: Atom): Observation {
  return {
    rule: "static-data-changed",
    severity: "needs-review",
    symbol: name,
    section: section.name,
    message: `the constant '${name}' changes; the functions that use it bring the new one along, and what points to the old one keeps it`,
  };
}

/**
 * The functions that must be redirected so that nobody calls the old function any more.
 * @returns undefined when they cannot be known: other files may call it, or its address is kept somewhere
 */
function callersOf(
  orig: Atom,
  patched: Atom,
  uses: BothUses,
  { origOf }: Correlation,
): readonly Atom[] | undefined {
  if (!isLocal(orig) || !isLocal(patched)) return undefined;
  const [before, after] = [uses.orig(orig), uses.patched(patched)];
  if ([...before, ...after].some(({ user, address }) => address || user.kind !== "function"))
    return undefined;
  const running = before.filter(({ user }) => machineryOf(user)?.rule !== "init-code");
  const now = new Map([...origOf].map(([atom, origAtom]) => [origAtom, atom]));
  const callers = new Set<Atom>();
  for (const { user } of running) {
    const caller = now.get(user);
    // It is gone; whoever called it changed.
    if (caller) callers.add(caller);
  }
  return callers.size === 0 ? undefined : [...callers];
}

/** What is built in has no exit code; that of a module runs once more, when it goes. */
function exitRemark(atom: Atom): Observation {
  const { section } = atom;
  const name = sourceNameOf(atom);
  return {
    rule: "exit-code",
    severity: "needs-review",
    symbol: name,
    section: section.name,
    message: `function '${name}' changed, but it only runs at exit: the old one stays, and runs when the module is removed`,
  };
}

function copyRemark(atom: Atom, uses: Uses): Observation {
  const callers = uses(atom)
    .map(({ user }) => user.name)
    .sort();
  return {
    rule: "not-traceable",
    severity: "info",
    symbol: atom.name,
    section: atom.section.name,
    message: `function '${atom.name}' has no ftrace entry; what calls it is redirected instead and brings it along: ${callers.join(", ")}`,
  };
}

/** Whether no other file can name it. */
function isLocal({ symbols }: Pick<Atom, "symbols">): boolean {
  return symbols.every(({ binding }) => binding === SymbolBinding.LOCAL);
}

function isWeak({ symbols }: Atom): boolean {
  return symbols[0]?.binding === SymbolBinding.WEAK;
}

function weakRemark({ name, section }: Atom): Observation {
  return {
    rule: "weak-function",
    severity: "needs-review",
    symbol: name,
    section: section.name,
    message: `function '${name}' is weak: if another file defines it too, the kernel runs that one`,
  };
}

/** Constructors that tell KASAN of a file's variables; of what a patch adds it need not know. */
function isSanitizers({ name }: Atom): boolean {
  return /^(asan\.module_[cd]tor|_sub_[ID]_\d+_\d+)(\.|$)/.test(name);
}

/** Whether a new variable of PATCHED can live in a module. */
export function newDataRefusal(atom: Atom): Observation | undefined {
  const { name, section } = atom;
  const machinery = machineryOf(atom);
  if (!machinery && CARRIES_NEW_DATA.test(section.name)) return undefined;
  return {
    rule: machinery?.rule ?? "unsupported-section",
    symbol: name,
    section: section.name,
    message: `new variable '${name}' is placed in section ${section.name}, which a hot patch cannot carry`,
  };
}

/** For each cold part the function it belongs to. */
function parentsOf(atoms: readonly Atom[]): Map<Atom, Atom> {
  const byName = new Map(atoms.filter((atom) => atom.kind === "function").map((atom) => [atom.name, atom]));
  const parents = new Map<Atom, Atom>();
  for (const [name, atom] of byName) {
    const owner = coldPartOf(name);
    const parent = owner === undefined ? undefined : byName.get(owner);
    if (parent) parents.set(atom, parent);
  }
  return parents;
}

/** @returns the name of the function whose unlikely blocks gcc moved into the function `name`, if it is such a part */
export function coldPartOf(name: string): string | undefined {
  return /^(.+)\.cold(\.\d+)?$/.exec(name)?.[1];
}

/** Whether ftrace can hook a function: it is listed, or it calls the tracer. */
function isTraced({ entries, references }: Atom, { special, tracer }: ObjectArchitecture): boolean {
  return (
    entries.some((entry) => special[entry.section.name]?.ftraceEntry) ||
    references.some(({ target }) => !isAtom(target) && target.name === tracer)
  );
}

function whyNotRedirected(orig: Atom, architecture: ObjectArchitecture): Observation | undefined {
  const { section } = orig;
  const name = sourceNameOf(orig);
  const about = { symbol: name, section: section.name };
  const machinery = machineryOf(orig);
  if (name === "")
    return {
      rule: "assembly-changed",
      section: section.name,
      message: `code without a name changed in ${section.name}`,
    };
  if (machinery)
    return {
      ...about,
      rule: machinery.rule,
      message: `function '${name}' changed, but it is in section ${section.name}: ${machinery.what}`,
    };
  if (!isTraced(orig, architecture))
    return {
      ...about,
      rule: "not-traceable",
      message: `function '${name}' changed, but it has no ftrace entry, so calls to it cannot be redirected`,
    };
  return undefined;
}

/** What is in front of a function besides room is the hash of its type (clang -fsanitize=kcfi). */
function otherType(orig: Atom, patched: Atom, uses: Uses): Observation | undefined {
  const front = (atom: Atom) => usedBytesOf(atom).subarray(0, atom.entry);
  if (Buffer.compare(front(orig), front(patched)) === 0) return undefined;
  // A function that nobody could point to had no hash.
  const isPointedTo = uses(patched).some(({ address }) => address);
  if (orig.entry !== patched.entry && !isPointedTo) return undefined;
  const { name, section } = orig;
  return {
    rule: "prototype-changed",
    symbol: name,
    section: section.name,
    message: `function '${name}' changes its type: what calls it through a pointer compares the hash in front of the running one, which stays`,
  };
}

function changedData(orig: Atom, patched: Atom): Observation {
  const name = sourceNameOf(patched);
  const about = { symbol: name, section: patched.section.name };
  const [before, after] = [orig.end - orig.start, patched.end - patched.start];
  if (before !== after)
    return {
      ...about,
      rule: "static-data-changed",
      message: `variable '${name}' changes its size from ${before} to ${after} bytes; the running kernel has the old one`,
    };
  const pointsAtCode = (atom: Atom) =>
    atom.references.some(({ target }) =>
      isAtom(target) ? target.kind === "function" : target.type === SymbolType.FUNCTION,
    );
  if (pointsAtCode(orig) || pointsAtCode(patched))
    return {
      ...about,
      rule: "ops-table-changed",
      message: `the table of functions '${name}' changes; the running kernel goes on using the old one`,
    };
  return {
    ...about,
    rule: "static-data-changed",
    message: `the initial value of '${name}' changes; the running kernel has set up the old one long ago`,
  };
}

/**
 * What changed, came or went in tables: those that the kernel does not read again, and those that nobody here knows.
 * By content, since the names of their entries are made up.
 */
function tableObservations(
  orig: AtomicObject,
  patched: AtomicObject,
  { origOf }: Correlation,
  same: (orig: Atom, patched: Atom) => boolean,
): Observation[] {
  const found: Observation[] = [];
  const [before, after] = [tablesOf(orig), tablesOf(patched)];
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const left = new Set(before.get(name));
    const differing = new Set<Atom>();
    for (const atom of after.get(name) ?? []) {
      const counterpart = origOf.get(atom);
      const twin =
        counterpart && left.has(counterpart) && same(counterpart, atom)
          ? counterpart
          : [...left].find((other) => other.kind === atom.kind && same(other, atom));
      if (twin) left.delete(twin);
      else differing.add(atom);
    }
    for (const atom of [...differing, ...left]) {
      if (isHarmless(atom)) continue;
      const { rule, what } = machineryOf(atom) ?? UNKNOWN_TABLE;
      if (rule === "export-changed") {
        found.push(exportRemark(atom, differing.has(atom)));
        continue;
      }
      const entry = describeEntry(atom, differing.has(atom) ? left : differing);
      if (found.some(({ symbol, section }) => symbol === entry && section === name)) continue;
      const words = entry === name ? entry : `'${entry}' in ${name}`;
      found.push({ rule, section: name, symbol: entry, message: `${words} changed: ${what}` });
    }
  }
  return found;
}

/** The table that modules are linked by is the running kernel's, and stays. */
function exportRemark(atom: Atom, isNew: boolean): Observation {
  const symbol = describeEntry(atom);
  return {
    rule: "export-changed",
    severity: "needs-review",
    symbol,
    section: atom.section.name,
    message: isNew
      ? `the kernel does not export '${symbol}' by this patch: only code of the patch can use it`
      : `the kernel goes on exporting '${symbol}' as it was: modules that use it run the old code unless that is redirected`,
  };
}

const UNKNOWN_TABLE = {
  rule: "unsupported-section",
  what: "it is in a section that something reads by its place, and that a hot patch cannot add to",
} as const;

function tablesOf({ atoms }: AtomicObject): Map<string, Atom[]> {
  const tables = new Map<string, Atom[]>();
  for (const atom of atoms) {
    const { name, flags } = atom.section;
    if (atom.kind === "function" || atom.end === atom.start || holdsVariables(atom)) continue;
    if (flags & SectionFlag.EXECINSTR || isSanitizersTable(atom)) continue;
    if (flags & SectionFlag.MERGE && !MACHINERY.some(({ section }) => section.test(name))) continue;
    const list = tables.get(name);
    if (list === undefined) tables.set(name, [atom]);
    else list.push(atom);
  }
  return tables;
}

/** Pointers to what {@link isSanitizers} knows. */
function isSanitizersTable({ section, references }: Atom): boolean {
  if (!/^\.(init|fini)_array/.test(section.name)) return false;
  return references.every(({ target }) => isAtom(target) && isSanitizers(target));
}

/** gcc appends a number to the names of static locals, clang puts the function's name before them. */
function isStaticLocal({ name }: Atom): boolean {
  return /\.\d+$|^[\w$]+\.[\w$]+$/.test(name);
}

function removalRemarks({ removed }: Correlation): Observation[] {
  const remarks: Observation[] = [];
  for (const atom of removed) {
    if (machineryOf(atom)) continue;
    if (coldPartOf(atom.name) !== undefined || isSanitizers(atom)) continue;
    if (atom.kind === "function")
      remarks.push({
        rule: /\.(isra|constprop|part)\b/.test(atom.name) ? "compiler-clone" : "function-removed",
        symbol: atom.name,
        message: `function '${atom.name}' is gone from the patched object; its old code stays in the running kernel`,
      });
    else if (isStaticLocal(atom) && holdsVariables(atom))
      remarks.push({
        rule: "static-local-removed",
        severity: "needs-review",
        symbol: atom.name,
        message: `nothing uses the static variable '${withoutNumbers(atom.name)}' any more; its value stays behind unused`,
      });
  }
  return remarks;
}
