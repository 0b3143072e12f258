import { SymbolBinding } from "../elf/format.js";
import type { Observation } from "../observation.js";
import { type Atom, type AtomicObject, bytesOf, isAtom } from "./atoms.js";

/** Which functions and variables of PATCHED are which of ORIG. */
export interface Correlation {
  readonly origOf: ReadonlyMap<Atom, Atom>;
  /** Functions and variables that only ORIG has. */
  readonly removed: readonly Atom[];
  /** Variables that could be one of several. */
  readonly ambiguous: readonly Observation[];
}

/** Correlates functions and variables by name; those whose names the compiler numbered also by who uses them. */
export function correlate(orig: AtomicObject, patched: AtomicObject): Correlation {
  const origOf = new Map<Atom, Atom>();
  const taken = new Set<Atom>();
  const match = (patchedAtom: Atom, origAtom: Atom) => {
    origOf.set(patchedAtom, origAtom);
    taken.add(origAtom);
  };

  const [origFamilies, patchedFamilies] = [families(orig), families(patched)];
  const numbered: [Atom[], Atom[]][] = [];
  for (const [family, patchedAtoms] of patchedFamilies) {
    const origAtoms = origFamilies.get(family) ?? [];
    const [only, onlyPatched] = [origAtoms[0], patchedAtoms[0]];
    const isNumbered = [...origAtoms, ...patchedAtoms].some(
      (atom) => atom.kind === "data" && withoutNumbers(atom.name) !== atom.name,
    );
    if (isNumbered) numbered.push([origAtoms, patchedAtoms]);
    else if (only && onlyPatched && origAtoms.length === 1 && patchedAtoms.length === 1)
      match(onlyPatched, only);
    // Several clones of one function, or unnamed code: the numbers are all there is to go by.
    else
      for (const atom of patchedAtoms) {
        const same = origAtoms.find((other) => other.name === atom.name && !taken.has(other));
        if (same) match(atom, same);
      }
  }

  // Static locals last: who uses them is said in terms of functions, and those are known by now.
  const ambiguous: Observation[] = [];
  const [origUsers, patchedUsers] = [usersOf(orig), usersOf(patched)];
  for (const [origAtoms, patchedAtoms] of numbered) {
    const undecided = correlateNumbered(origAtoms, patchedAtoms, origUsers, patchedUsers, match);
    // They are not gone; it is only unknown which is which.
    if (undecided.length > 0) for (const atom of origAtoms) taken.add(atom);
    ambiguous.push(...undecided);
  }

  const removed = orig.atoms.filter(
    (atom) => (atom.kind === "function" || atom.kind === "data") && atom.name !== "" && !taken.has(atom),
  );
  return { origOf, removed, ambiguous };
}

/**
 * A name without the numbers that the compiler put there: of static locals (`count.3`), of clones (`f.isra.0`) and of
 * `__UNIQUE_ID()` (include/linux/compiler.h), which counts all its uses in the file, as initcalls do
 * (`__initcall__kmod_MODULE__COUNT_LINE_FUNCTION`, include/linux/init.h).
 */
export function withoutNumbers(name: string): string {
  return name
    .replace(/^(__UNIQUE_ID_.*?)\d+(?=\.|$)/, "$1")
    .replace(/^(__init(?:call|stub)__.*?__)\d+_(?=\d+_)/, "$1")
    .replace(/\.\d+/g, "");
}

/** Functions and variables that may be each other, under kind and common name; anonymous ones under their section. */
function families({ atoms }: AtomicObject): Map<string, Atom[]> {
  const byFamily = new Map<string, Atom[]>();
  for (const atom of atoms) {
    if (atom.kind !== "function" && atom.kind !== "data") continue;
    const local = atom.symbols[0]?.binding === SymbolBinding.LOCAL;
    const name = local ? withoutNumbers(atom.name) : atom.name;
    const family = `${atom.kind} ${name === "" ? `${atom.section.name}+${atom.start}` : name}`;
    const list = byFamily.get(family);
    if (list === undefined) byFamily.set(family, [atom]);
    else list.push(atom);
  }
  return byFamily;
}

/** For each variable the names of the functions and variables that refer to it. */
function usersOf({ atoms }: AtomicObject): Map<Atom, Set<string>> {
  const users = new Map<Atom, Set<string>>();
  const note = (target: Atom, user: string) => {
    const known = users.get(target);
    if (known === undefined) users.set(target, new Set([user]));
    else known.add(user);
  };
  for (const atom of atoms) {
    // A clone or a cold part is its function's, whichever way the compiler divided it this time.
    const user = withoutNumbers(atom.name).replace(/\.(isra|constprop|part|cold)\b/g, "");
    for (const part of [atom, ...atom.entries])
      for (const { target } of part.references)
        if (isAtom(target) && target.kind === "data" && target !== atom) note(target, user);
  }
  return users;
}

/**
 * Pairs variables of one name: first those that the same functions use and that look alike, then those that the same
 * functions use, then whatever can be only one thing. Within equals, the compiler's order decides.
 */
function correlateNumbered(
  origAtoms: readonly Atom[],
  patchedAtoms: readonly Atom[],
  origUsers: ReadonlyMap<Atom, ReadonlySet<string>>,
  patchedUsers: ReadonlyMap<Atom, ReadonlySet<string>>,
  match: (patched: Atom, orig: Atom) => void,
): Observation[] {
  const free = new Set(origAtoms);
  const left = new Set(patchedAtoms);
  const pair = (patched: Atom, orig: Atom) => {
    match(patched, orig);
    free.delete(orig);
    left.delete(patched);
  };
  const userKey = (users: ReadonlySet<string> | undefined) => [...(users ?? [])].sort().join();
  for (const look of [appearance, () => ""]) {
    const origGroups = grouped(free, (atom) => userKey(origUsers.get(atom)) + look(atom));
    for (const [key, group] of grouped(left, (atom) => userKey(patchedUsers.get(atom)) + look(atom))) {
      const counterparts = origGroups.get(key) ?? [];
      if (counterparts.length !== group.length) continue;
      for (const [index, patched] of group.entries()) {
        const orig = counterparts[index];
        if (orig) pair(patched, orig);
      }
    }
  }

  const candidates = (patched: Atom) =>
    [...free].filter((orig) => sharesUser(origUsers.get(orig), patchedUsers.get(patched)));
  for (let settled = true; settled; ) {
    settled = false;
    for (const patched of left) {
      const [orig, second] = candidates(patched);
      if (orig === undefined || second !== undefined) continue;
      if ([...left].some((other) => other !== patched && candidates(other).includes(orig))) continue;
      pair(patched, orig);
      settled = true;
    }
  }
  const undecided = [...left].find((patched) => candidates(patched).length > 0);
  if (undecided === undefined) return [];
  const [user] = patchedUsers.get(undecided) ?? [];
  return [
    {
      rule: "static-local-added",
      severity: "unsafe",
      symbol: undecided.name,
      message:
        `cannot tell which of the static variables '${withoutNumbers(undecided.name)}' in ${user ?? "this file"} ` +
        "keeps its value: the patch changes how many there are",
    },
  ];
}

function grouped(atoms: Iterable<Atom>, keyOf: (atom: Atom) => string): Map<string, Atom[]> {
  const groups = new Map<string, Atom[]>();
  for (const atom of atoms) {
    const key = keyOf(atom);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [atom]);
    else group.push(atom);
  }
  return groups;
}

/** Place, contents and number of references: as much as can be said before the correlation is complete. */
function appearance(atom: Atom): string {
  const place = atom.section.name.replace(atom.name, "");
  return ` ${place} ${Buffer.from(bytesOf(atom)).toString("latin1")} ${atom.references.length}`;
}

function sharesUser(a: ReadonlySet<string> | undefined, b: ReadonlySet<string> | undefined): boolean {
  // Nobody uses it: nothing speaks against it either.
  if (a === undefined || b === undefined) return a === b;
  return [...a].some((user) => b.has(user));
}
