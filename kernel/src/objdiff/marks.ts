import { SectionType } from "../elf/format.js";
import type { ElfSection } from "../elf/object.js";
import type { Observation } from "../observation.js";
import type { Atom, AtomicObject } from "./atoms.js";
import { type Correlation, withoutNumbers } from "./correlate.js";
import type { Judgement } from "./judge.js";

/** What the livepatch core calls around a transition (include/linux/livepatch.h, struct klp_callbacks). */
export const CALLBACK_KINDS = ["pre_patch", "post_patch", "pre_unpatch", "post_unpatch"] as const;
export type CallbackKind = (typeof CALLBACK_KINDS)[number];

/** A state of the system that the patch declares to change (include/linux/livepatch.h, struct klp_state). */
export interface SystemState {
  readonly id: number;
  readonly version: number;
}

/** What the author of a patch says in its source, for the build (kernel/runtime/include/hotpatch.h). */
export interface Marks {
  readonly callbacks: readonly { readonly kind: CallbackKind; readonly atom: Atom }[];
  readonly states: readonly SystemState[];
  readonly ignoredFunctions: ReadonlySet<string>;
  readonly ignoredSections: ReadonlySet<string>;
  /** Reasons by function, variable or type. */
  readonly forced: ReadonlyMap<string, string>;
  /** Functions of KPATCH_FORCE_UNSAFE(). */
  readonly forcedUnsafe: readonly string[];
  /** Marks that cannot be followed. */
  readonly refusals: readonly Observation[];
}

const NOTES = ".discard.hotpatch.";
/** The kernel's own since 6.19 (include/linux/livepatch_helpers.h): one variable a callback, its kind in the name. */
const KERNELS_OWN = ".discard.klp_callback_ptrs";

/** Of SYSCALL_METADATA() (include/linux/syscalls.h). */
const SYSTEM_CALL_DESCRIPTIONS = ["__syscalls_metadata", "_ftrace_events"];

/** Reads the marks in PATCHED.o. */
export function readMarks({ object, atoms }: AtomicObject): Marks {
  const callbacks: { kind: CallbackKind; atom: Atom }[] = [];
  const states: SystemState[] = [];
  const [ignoredFunctions, ignoredSections] = [new Set<string>(), new Set<string>()];
  const forced = new Map<string, string>();
  const forcedUnsafe: string[] = [];
  const refusals: Observation[] = [];
  const addCallbacks = (section: ElfSection, kindAt: (offset: number) => CallbackKind | undefined) => {
    for (const { offset, symbol, addend } of section.relocations) {
      const kind = kindAt(offset);
      const place = symbol.value + addend;
      const atom = atoms.find(
        (one) => one.kind === "function" && one.section === symbol.section && one.start + one.entry === place,
      );
      if (kind && atom && atom.name !== "") callbacks.push({ kind, atom });
      else
        refusals.push({
          rule: "callback-pairing",
          severity: "unsafe",
          symbol: symbol.name,
          message: `a ${(kind ?? "").replace("_", "-")} callback is '${symbol.name}', which is not a function of the same file`,
        });
    }
  };

  for (const section of object.sections) {
    if (section.name === KERNELS_OWN)
      addCallbacks(section, (offset) => {
        const own = object.symbols.find((symbol) => symbol.section === section && symbol.value === offset);
        return CALLBACK_KINDS.find((kind) => own?.name.startsWith(`__klp_${kind}_callback_`));
      });
    if (!section.name.startsWith(NOTES) || section.type === SectionType.NOBITS) continue;
    const note = section.name.slice(NOTES.length);
    if (note.startsWith("callback."))
      addCallbacks(section, () => CALLBACK_KINDS.find((kind) => note === `callback.${kind}`));
    else if (note === "states") states.push(...statesIn(section, object.littleEndian));
    else if (note === "texts")
      for (const text of new TextDecoder("latin1").decode(section.data).split("\0")) {
        const [, kind, what = "", reason = ""] = /^([\w-]+) (.*?)(?:: (.*))?$/s.exec(text) ?? [];
        if (kind === "ignore-function") ignoredFunctions.add(what);
        else if (kind === "ignore-section") ignoredSections.add(what);
        else if (kind === "force") forced.set(what, reason);
        else if (kind === "force-unsafe") forcedUnsafe.push(what);
      }
  }
  // The kernel's own KLP_SYSCALL_DEFINEx() (include/linux/livepatch_helpers.h) leaves out what describes a system call.
  if (atoms.some(({ name }) => name.startsWith("__klp_do_sys_")))
    for (const section of SYSTEM_CALL_DESCRIPTIONS) ignoredSections.add(section);
  // The compiler lays variables out as it likes.
  callbacks.sort((a, b) => CALLBACK_KINDS.indexOf(a.kind) - CALLBACK_KINDS.indexOf(b.kind));
  states.sort((a, b) => a.id - b.id);
  return { callbacks, states, ignoredFunctions, ignoredSections, forced, forcedUnsafe, refusals };
}

/** Pairs of 64-bit numbers, as HOTPATCH_STATE() writes them; the compiler may leave zeros between them. */
function statesIn({ data }: ElfSection, littleEndian: boolean): SystemState[] {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const states: SystemState[] = [];
  for (let at = 0; at + 16 <= data.length; at += 16)
    states.push({
      id: Number(view.getBigUint64(at, littleEndian)),
      version: Number(view.getBigUint64(at + 8, littleEndian)),
    });
  return states;
}

/**
 * Follows the marks: what the author has the build leave out is neither redirected nor refused, what the author
 * overrules is not refused. All of it is said.
 * @param judgement of the objects alone
 */
export function followMarks(judgement: Judgement, marks: Marks, { origOf }: Correlation): Judgement {
  const remarks = [...judgement.remarks];
  const refusals: Observation[] = [...marks.refusals];
  const said = new Set<string>();
  const leftOut = (what: string, message: string, about: Partial<Observation>) => {
    said.add(what);
    remarks.push({ rule: "left-out", ...about, message });
  };

  const nameOf = (atom: Atom) => baseName(origOf.get(atom)?.name ?? atom.name);
  const isIgnored = (atom: Atom) => marks.ignoredFunctions.has(nameOf(atom));
  for (const atom of judgement.changed.filter(isIgnored))
    leftOut(
      nameOf(atom),
      `the patch has the change of '${atom.name}' left out: the running kernel keeps the old function`,
      { symbol: atom.name },
    );
  for (const refusal of judgement.refusals) {
    const { symbol = "", section = "", message } = refusal;
    const reason = marks.forced.get(symbol) ?? marks.forced.get(baseName(symbol));
    if (marks.ignoredFunctions.has(baseName(symbol)))
      leftOut(baseName(symbol), `left out as the patch says: ${message}`, { symbol });
    else if (marks.ignoredSections.has(section))
      leftOut(section, `left out as the patch says: ${message}`, { ...(symbol && { symbol }), section });
    else if (reason !== undefined) {
      said.add(symbol).add(baseName(symbol));
      const because = reason === "" ? "no reason given" : `"${reason}"`;
      remarks.push({
        ...refusal,
        severity: "needs-review",
        message: `${message}; the patch overrules it: ${because}`,
      });
    } else refusals.push(refusal);
  }
  for (const name of [...marks.ignoredFunctions, ...marks.ignoredSections, ...marks.forced.keys()])
    if (!said.has(name) && !SYSTEM_CALL_DESCRIPTIONS.includes(name))
      remarks.push({
        rule: "left-out",
        severity: "info",
        symbol: name,
        message: `the patch has a mark for '${name}', where nothing has to be left out or overruled`,
      });
  for (const name of marks.forcedUnsafe)
    remarks.push({
      rule: "left-out",
      symbol: name,
      message: `KPATCH_FORCE_UNSAFE(${name}) does nothing: livepatch waits for every task to leave '${name}', whatever the patch says`,
    });
  return { ...judgement, changed: judgement.changed.filter((atom) => !isIgnored(atom)), refusals, remarks };
}

/** The function in the source that a clone or a cold part comes from. */
function baseName(name: string): string {
  return withoutNumbers(name).replace(/\.(isra|constprop|part|cold)\b/g, "");
}
