import { SymbolType } from "../elf/format.js";
import type { Observation } from "../observation.js";
import type { ObjectArchitecture } from "./architecture.js";
import { type Atom, type AtomicObject, bytesOf, isAtom } from "./atoms.js";
import { type Correlation, withoutNumbers } from "./correlate.js";

/** Functions by what became of them. */
export interface Judgement {
  /** PATCHED's atoms, cold parts counted as their function's. */
  readonly changed: readonly Atom[];
  readonly refusals: readonly Observation[];
  readonly remarks: readonly Observation[];
}

/** Sections whose contents the kernel read once, long ago, or that somebody else holds pointers into. */
const MACHINERY: readonly { section: RegExp; rule: string; what: string }[] = [
  {
    section: /^\.init\.|^\.(con_)?initcall|^\.initcall/,
    rule: "init-code",
    what: "initialisation that has run",
  },
  { section: /^\.exit\./, rule: "exit-code", what: "code or data that only runs at exit" },
  { section: /^\.data\.\.percpu/, rule: "percpu-changed", what: "a per-CPU variable" },
  {
    section: /^___?ksymtab|^__ksymtab_strings|^__kcrctab|^\.export_symbol/,
    rule: "export-changed",
    what: "an exported symbol",
  },
  { section: /^\.modinfo$|^__param$/, rule: "module-interface", what: "module information or a parameter" },
  {
    section: /^__tracepoints|^_ftrace_e|^__bpf_raw_tp_map|^__bpf_trace|^\.ref\.data$/,
    rule: "tracepoint-changed",
    what: "a trace event",
  },
  {
    section: /^__syscalls_metadata|^\.init\.syscall/,
    rule: "syscall-table-changed",
    what: "a system call's description",
  },
  { section: /^\.static_call\.text$/, rule: "static-call", what: "a static call's trampoline" },
  {
    section: /^_kprobe_blacklist|^_error_injection_whitelist|^\.BTF_ids/,
    rule: "unsupported-section",
    what: "a list that the kernel read at boot",
  },
];

/** Sections in which new variables can be carried by a module. */
const CARRIES_NEW_DATA = /^\.(data|bss|rodata)($|\.(?!\.percpu))|^__dyndbg$|^__verbose$/;

/**
 * Decides what changed and what stands in the way; all reasons, not the first.
 * @param same from `comparer`
 */
export function judge(
  orig: AtomicObject,
  patched: AtomicObject,
  correlation: Correlation,
  same: (orig: Atom, patched: Atom) => boolean,
): Judgement {
  const refusals: Observation[] = [...correlation.ambiguous];
  const remarks: Observation[] = [];
  for (const section of patched.unreadable)
    refusals.push({
      rule: "unsupported-section",
      section,
      message: `the entries of section ${section} cannot be told apart`,
    });

  const parents = parentsOf(patched.atoms);
  const changed = new Set<Atom>();
  const crowded = crowdedSections(patched.atoms);
  for (const atom of patched.atoms) {
    const other = correlation.origOf.get(atom);
    const machinery = machineryOf(atom);
    if (atom.kind === "function") {
      if (other === undefined || same(other, atom)) continue;
      const owner = parents.get(atom) ?? atom;
      // A cold part follows its function; a function that is new is carried anyway.
      if (correlation.origOf.has(owner)) changed.add(owner);
    } else if (atom.kind === "data") {
      if (machinery) continue;
      if (other !== undefined && !same(other, atom)) refusals.push(changedData(other, atom));
      else if (other !== undefined && placement(other) !== placement(atom))
        refusals.push({
          rule: "section-placement",
          symbol: atom.name,
          section: atom.section.name,
          message: `variable '${atom.name}' moves from section ${other.section.name} to ${atom.section.name}`,
        });
    }
  }

  for (const atom of changed) {
    const origAtom = correlation.origOf.get(atom);
    const reason = origAtom && whyNotRedirected(origAtom, crowded.has(atom.section), orig.architecture);
    if (reason) {
      refusals.push(reason);
      changed.delete(atom);
    }
  }
  refusals.push(...machineryRefusals(orig, patched, correlation, same));
  remarks.push(...removalRemarks(correlation));
  return { changed: [...changed], refusals, remarks };
}

/** What a section is to the running kernel, if it is more than code and variables. */
export function machineryOf({ section }: Atom): { rule: string; what: string } | undefined {
  return MACHINERY.find((entry) => entry.section.test(section.name));
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

/** Code sections with more than one function: calls within them carry no relocations. */
function crowdedSections(atoms: readonly Atom[]): Set<Atom["section"]> {
  const seen = new Set<Atom["section"]>();
  const crowded = new Set<Atom["section"]>();
  for (const { kind, section, start, end } of atoms) {
    if (kind !== "function" || start === end) continue;
    if (seen.has(section)) crowded.add(section);
    seen.add(section);
  }
  return crowded;
}

function whyNotRedirected(
  orig: Atom,
  crowded: boolean,
  { special }: ObjectArchitecture,
): Observation | undefined {
  const { name, section } = orig;
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
  if (!orig.entries.some((entry) => special[entry.section.name]?.ftraceEntry))
    return {
      ...about,
      rule: "not-traceable",
      message: `function '${name}' changed, but it has no ftrace entry, so calls to it cannot be redirected`,
    };
  if (crowded)
    return {
      ...about,
      rule: "unsupported-section",
      message: `function '${name}' changed, but it shares section ${section.name} with other functions`,
    };
  return undefined;
}

function changedData(orig: Atom, patched: Atom): Observation {
  const about = { symbol: patched.name, section: patched.section.name };
  const [before, after] = [orig.end - orig.start, patched.end - patched.start];
  if (before !== after)
    return {
      ...about,
      rule: "static-data-changed",
      message: `variable '${patched.name}' changes its size from ${before} to ${after} bytes; the running kernel has the old one`,
    };
  const pointsAtCode = (atom: Atom) =>
    atom.references.some(({ target }) =>
      isAtom(target) ? target.kind === "function" : target.type === SymbolType.FUNCTION,
    );
  if (pointsAtCode(orig) || pointsAtCode(patched))
    return {
      ...about,
      rule: "ops-table-changed",
      message: `the table of functions '${patched.name}' changes; the running kernel goes on using the old one`,
    };
  return {
    ...about,
    rule: "static-data-changed",
    message: `the initial value of '${patched.name}' changes; the running kernel has set up the old one long ago`,
  };
}

/** The part of a section's name that says what kind of memory it is, without the variable's own name. */
function placement({ section, name }: Atom): string {
  const own = section.name.endsWith(`.${name}`) ? section.name.slice(0, -name.length - 1) : section.name;
  return own;
}

/** What changed, came or went in sections that the kernel does not read again: by content, their names are made up. */
function machineryRefusals(
  orig: AtomicObject,
  patched: AtomicObject,
  { origOf }: Correlation,
  same: (orig: Atom, patched: Atom) => boolean,
): Observation[] {
  const refusals: Observation[] = [];
  for (const { section, rule, what } of MACHINERY) {
    const inside = (atom: Atom) =>
      section.test(atom.section.name) && atom.kind !== "function" && atom.end > atom.start;
    const left = new Set(orig.atoms.filter(inside));
    const differing: Atom[] = [];
    for (const atom of patched.atoms.filter(inside)) {
      const counterpart = origOf.get(atom);
      const twin =
        counterpart && left.has(counterpart) && same(counterpart, atom)
          ? counterpart
          : [...left].find((other) => sameFamily(other, atom) && same(other, atom));
      if (twin) left.delete(twin);
      else differing.push(atom);
    }
    const names = new Set([...differing, ...left].map((atom) => describe(atom)));
    for (const name of names)
      refusals.push({
        rule,
        section: [...differing, ...left][0]?.section.name ?? "",
        symbol: name,
        message: `${name} changed: ${what}`,
      });
  }
  return refusals;
}

function sameFamily(a: Atom, b: Atom): boolean {
  return a.section.name === b.section.name && withoutNumbers(a.name) === withoutNumbers(b.name);
}

/** Module information has made-up names; its text says more. */
function describe(atom: Atom): string {
  if (atom.section.name === ".modinfo") return new TextDecoder().decode(bytesOf(atom)).replaceAll("\0", "");
  return atom.name || atom.section.name;
}

function removalRemarks({ removed }: Correlation): Observation[] {
  const remarks: Observation[] = [];
  for (const atom of removed) {
    if (machineryOf(atom)) continue;
    if (coldPartOf(atom.name) !== undefined) continue;
    if (atom.kind === "function")
      remarks.push({
        rule: /\.(isra|constprop|part)\b/.test(atom.name) ? "compiler-clone" : "function-removed",
        symbol: atom.name,
        message: `function '${atom.name}' is gone from the patched object; its old code stays in the running kernel`,
      });
    else if (/\.\d+$/.test(atom.name))
      remarks.push({
        rule: "static-local-removed",
        severity: "needs-review",
        symbol: atom.name,
        message: `nothing uses the static variable '${withoutNumbers(atom.name)}' any more; its value stays behind unused`,
      });
  }
  return remarks;
}
