import { SymbolBinding } from "../elf/format.js";
import type { Observation } from "../observation.js";
import { type Atom, type AtomicObject, isAtom, usedBytesOf } from "./atoms.js";
import { machineryOf } from "./machinery.js";

/** Which functions and variables of PATCHED are which of ORIG. */
export interface Correlation {
  readonly origOf: ReadonlyMap<Atom, Atom>;
  /** Functions and variables that only ORIG has. */
  readonly removed: readonly Atom[];
  /** Variables that could be one of several. */
  readonly ambiguous: readonly Observation[];
}

/** Which function declares a static variable, and which of its variables of that name it is: `function/name#ordinal`. */
export type Declared = ReadonlyMap<Atom, { readonly owner: string; readonly ordinal: number }>;

/**
 * Correlates functions and variables by name; those whose names the compiler numbered by who declares or uses them.
 * @param declared of both objects, as far as debug information tells; asked for only when who uses a variable leaves
 *   a choice
 */
export function correlate(
  orig: AtomicObject,
  patched: AtomicObject,
  declared: () => readonly [Declared, Declared] | undefined = () => undefined,
): Correlation {
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
      (atom) => atom.kind === "data" && withoutNumbers(nameOf(atom)) !== nameOf(atom),
    );
    if (isNumbered) numbered.push([origAtoms, patchedAtoms]);
    else if (only && onlyPatched && origAtoms.length === 1 && patchedAtoms.length === 1)
      match(onlyPatched, only);
    // Several clones of one function, or unnamed code: those that look alike, then by the numbers.
    else
      for (const alike of [
        (a: Atom, b: Atom) => appearance(a) === appearance(b) && patchedAtoms.length !== origAtoms.length,
        (a: Atom, b: Atom) => a.name === b.name,
      ])
        for (const atom of patchedAtoms) {
          if (origOf.has(atom)) continue;
          const same = origAtoms.find((other) => !taken.has(other) && alike(atom, other));
          if (same) match(atom, same);
        }
  }

  // Static locals last: who uses them is said in terms of functions, and those are known by now.
  const ambiguous: Observation[] = [];
  const [origUsers, patchedUsers] = [usersOf(orig), usersOf(patched)];
  for (const [origAtoms, patchedAtoms] of numbered) {
    const sides = [
      { atoms: origAtoms, users: origUsers },
      { atoms: patchedAtoms, users: patchedUsers },
    ] as const;
    const undecided = correlateNumbered(sides, declared, match);
    // They are not gone; it is only unknown which is which.
    if (undecided.length > 0) for (const atom of origAtoms) taken.add(atom);
    ambiguous.push(...undecided);
  }

  for (const [atom, origAtom] of byOtherNames(orig, patched, taken, origOf)) match(atom, origAtom);
  const removed = orig.atoms.filter(
    (atom) => (atom.kind === "function" || atom.kind === "data") && atom.name !== "" && !taken.has(atom),
  );
  return { origOf, removed, ambiguous };
}

/**
 * A name without the numbers that the compiler put there: of static locals (`count.3`), of clones (`f.isra.0`) and of
 * `__UNIQUE_ID()` (include/linux/compiler.h), which counts all its uses in the file, as initcalls do
 * (`__initcall__kmod_MODULE__COUNT_LINE_FUNCTION`, include/linux/init.h) and BTF ids (`__BTF_ID__KIND__NAME__COUNTLINE`,
 * include/linux/btf_ids.h).
 */
export function withoutNumbers(name: string): string {
  if (!/\d/.test(name)) return name;
  return name
    .replace(/^(__UNIQUE_ID_.*?)\d+(?=\.|$)/, "$1")
    .replace(/^(__init(?:call|stub)__.*?__)\d+_(?=\d+_)/, "$1")
    .replace(/^(__BTF_ID__.*__)\d+$/, "$1")
    .replace(/\.\d+/g, "");
}

/** clang keeps what has no name in sections with the number of a private label: `.data..L__unnamed_1`. */
function nameOf(atom: Atom): string {
  return atom.name === ""
    ? (/\.\.L\w+?_\d+$/.exec(atom.section.name)?.[0] ?? "").replace(/_(\d+)$/, ".$1")
    : atom.name;
}

/** Functions and variables that may be each other, under kind and common name; anonymous ones under their section. */
function families({ atoms }: AtomicObject): Map<string, Atom[]> {
  return grouped(
    atoms.filter(({ kind }) => kind === "function" || kind === "data"),
    (atom) => {
      const local = atom.symbols[0]?.binding !== SymbolBinding.GLOBAL;
      const name = local ? withoutNumbers(nameOf(atom)) : atom.name;
      return `${atom.kind} ${name === "" ? `${atom.section.name}+${atom.start}` : name}`;
    },
  );
}

/** What got another first name because an alias came or went. */
function byOtherNames(
  orig: AtomicObject,
  patched: AtomicObject,
  taken: ReadonlySet<Atom>,
  origOf: ReadonlyMap<Atom, Atom>,
): Map<Atom, Atom> {
  const free = new Map<string, Atom>();
  for (const atom of orig.atoms)
    if (!taken.has(atom) && (atom.kind === "function" || atom.kind === "data"))
      for (const { name } of atom.symbols)
        if (withoutNumbers(name) === name) free.set(`${atom.kind} ${name}`, atom);
  const matches = new Map<Atom, Atom>();
  const used = new Set<Atom>();
  for (const atom of patched.atoms) {
    if (origOf.has(atom)) continue;
    for (const { name } of atom.symbols) {
      const other = free.get(`${atom.kind} ${name}`);
      if (other === undefined || used.has(other) || matches.has(atom)) continue;
      matches.set(atom, other);
      used.add(other);
    }
  }
  return matches;
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

interface Side {
  readonly atoms: readonly Atom[];
  readonly users: ReadonlyMap<Atom, ReadonlySet<string>>;
}

/**
 * Pairs variables of one name: those that the same functions use and that look alike when that leaves no choice, else
 * those that the same function declares. What debug information does not tell goes by its users alone; within equals,
 * the compiler's order decides.
 */
function correlateNumbered(
  [orig, patched]: readonly [Side, Side],
  declared: () => readonly [Declared, Declared] | undefined,
  match: (patched: Atom, orig: Atom) => void,
): Observation[] {
  const free = new Set(orig.atoms);
  const left = new Set(patched.atoms);
  const pair = (patchedAtom: Atom, origAtom: Atom) => {
    match(patchedAtom, origAtom);
    free.delete(origAtom);
    left.delete(patchedAtom);
  };
  const pairGroups = (keyOf: (atom: Atom, side: Side) => string, largest: number) => {
    const origGroups = grouped(free, (atom) => keyOf(atom, orig));
    for (const [key, group] of grouped(left, (atom) => keyOf(atom, patched))) {
      const counterparts = origGroups.get(key) ?? [];
      if (counterparts.length !== group.length || group.length > largest) continue;
      for (const [index, atom] of group.entries()) {
        const other = counterparts[index];
        if (other) pair(atom, other);
      }
    }
  };
  const byUsers = (atom: Atom, { users }: Side) => [...(users.get(atom) ?? [])].sort().join();
  const byUsersAndLook = (atom: Atom, side: Side) => byUsers(atom, side) + appearance(atom);

  // Whatever is read by its place only is compared by its content.
  if (patched.atoms.every((atom) => machineryOf(atom))) {
    pairGroups(byUsersAndLook, Number.POSITIVE_INFINITY);
    return [];
  }
  const isPlain =
    left.size === free.size &&
    hasSingles(free, (atom) => byUsersAndLook(atom, orig)) &&
    hasSingles(left, (atom) => byUsersAndLook(atom, patched));
  if (isPlain) pairGroups(byUsersAndLook, 1);
  if (left.size === 0) return [];

  const known = declared();
  const undecided = known ? correlateDeclared(free, left, known, pair) : [];
  if (undecided.length === 0) {
    for (const keyOf of [byUsersAndLook, byUsers]) pairGroups(keyOf, Number.POSITIVE_INFINITY);
    const candidates = (atom: Atom) =>
      [...free].filter((other) => sharesUser(orig.users.get(other), patched.users.get(atom)));
    for (let settled = true; settled; ) {
      settled = false;
      for (const atom of left) {
        const [other, second] = candidates(atom);
        if (other === undefined || second !== undefined) continue;
        if ([...left].some((rival) => rival !== atom && candidates(rival).includes(other))) continue;
        pair(atom, other);
        settled = true;
      }
    }
    undecided.push(...[...left].filter((atom) => candidates(atom).length > 0));
    // Without debug information, a variable whose user went can be that of another.
    if (!known) undecided.push(...[...left].filter(() => free.size > 0));
  }
  const [first] = undecided;
  if (first === undefined) return [];
  const user = known?.[1].get(first)?.owner ?? [...(patched.users.get(first) ?? [])][0];
  return [
    {
      rule: "static-local-added",
      severity: "unsafe",
      symbol: first.name,
      message:
        `cannot tell which of the static variables '${withoutNumbers(first.name)}' in ${user ?? "this file"} ` +
        "keeps its value: the patch changes how many there are",
    },
  ];
}

/**
 * Pairs what one function declares by its order there, and takes what only one side declares out of the sets.
 * @returns variables of PATCHED that can be one of several
 */
function correlateDeclared(
  free: Set<Atom>,
  left: Set<Atom>,
  [origDeclared, patchedDeclared]: readonly [Declared, Declared],
  pair: (patched: Atom, orig: Atom) => void,
): Atom[] {
  const known = (atoms: Iterable<Atom>, declared: Declared) =>
    grouped(
      [...atoms]
        .filter((atom) => declared.has(atom))
        .sort((a, b) => (declared.get(a)?.ordinal ?? 0) - (declared.get(b)?.ordinal ?? 0)),
      (atom) => declared.get(atom)?.owner ?? "",
    );
  const origGroups = known(free, origDeclared);
  const undecided: Atom[] = [];
  for (const [owner, group] of known(left, patchedDeclared)) {
    let counterparts = origGroups.get(owner) ?? [];
    let rest = group;
    if (rest.length !== counterparts.length) {
      // One came or went: what looks like nothing else is what it was.
      const lone = (atoms: readonly Atom[], look: string) => {
        const [atom, second] = atoms.filter((other) => appearance(other) === look);
        return second === undefined ? atom : undefined;
      };
      for (const atom of group) {
        const other = lone(counterparts, appearance(atom));
        if (other && lone(group, appearance(atom))) pair(atom, other);
      }
      rest = group.filter((atom) => left.has(atom));
      counterparts = counterparts.filter((atom) => free.has(atom));
    }
    if (rest.length === counterparts.length)
      for (const [index, atom] of rest.entries()) {
        const other = counterparts[index];
        if (other) pair(atom, other);
      }
    else if (counterparts.length > 0) undecided.push(...rest);
    for (const atom of rest) left.delete(atom);
    for (const atom of counterparts) free.delete(atom);
  }
  for (const atom of [...free]) if (origDeclared.has(atom)) free.delete(atom);
  return undecided;
}

function hasSingles(atoms: Iterable<Atom>, keyOf: (atom: Atom) => string): boolean {
  return [...grouped(atoms, keyOf).values()].every((group) => group.length === 1);
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
  const place = placement(atom);
  return ` ${place} ${Buffer.from(usedBytesOf(atom)).toString("latin1")} ${atom.references.length}`;
}

/** The part of a section's name that says what kind of memory it is, without the variable's own name. */
export function placement(atom: Atom): string {
  const { name } = atom.section;
  const own = atom.name === "" ? nameOf(atom).replace(/\.(\d+)$/, "_$1") : `.${atom.name}`;
  return own !== "" && name.endsWith(own) ? name.slice(0, -own.length) : name;
}

function sharesUser(a: ReadonlySet<string> | undefined, b: ReadonlySet<string> | undefined): boolean {
  // Nobody uses it: nothing speaks against it either.
  if (a === undefined || b === undefined) return a === b;
  return [...a].some((user) => b.has(user));
}
