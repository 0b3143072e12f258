import type { ChangedFile, ChangeSet } from "./change-set.js";
import { constantValue } from "./constant.js";
import { enumeratorValues } from "./enumerators.js";
import type { Item, SourceFile } from "./item.js";
import { oncePer } from "./once.js";
import { headingAt } from "./outline.js";
import type { Place } from "./place.js";
import { changesOf } from "./sides.js";
import { namesIn } from "./tokens.js";

/** A macro or enumerator that stands for something else with the patch. */
export interface ChangedConstant {
  readonly name: string;
  readonly before: string;
  readonly after: string;
  /** Where the patch changes it; for a macro that is made of changed ones, where that one is changed. */
  readonly place: Place;
}

/**
 * Macros and enumerators that mean something else within a file that names any of them: its own, those of the patch's headers, and the file's macros
 * that are made of them.
 */
export function changedConstants(
  changes: ChangeSet,
  file: ChangedFile,
): ReadonlyMap<string, ChangedConstant> {
  const known = knownWithin.get(changes) ?? new Map<ChangedFile, ReadonlyMap<string, ChangedConstant>>();
  const found = known.get(file) ?? constantsWithin(changes, file);
  knownWithin.set(changes, known.set(file, found));
  return found;
}

/** Several rules ask. */
const knownWithin = new WeakMap<ChangeSet, Map<ChangedFile, ReadonlyMap<string, ChangedConstant>>>();

function constantsWithin(changes: ChangeSet, file: ChangedFile): ReadonlyMap<string, ChangedConstant> {
  const found = new Map<string, ChangedConstant>();
  for (const one of [...constantsOfHeaders(changes), ...constantsOf(file)]) found.set(one.name, one);
  if (found.size === 0 || !file.after || !holdsAny(file.after.text, found)) return new Map();
  // Reading all the file's items costs a parse: most files define nothing of a changed constant.
  const definitions = [...file.after.text.matchAll(DEFINITION)].map(([text]) => text);
  if (!definitions.some((text) => holdsAny(text, found))) return found;
  const macros = file.after.items.filter((item) => item.kind === "macro");
  for (let size = -1; size !== found.size; ) {
    size = found.size;
    for (const { name, body } of macros) {
      if (found.has(name)) continue;
      const cause = [...namesIn(body)].map((word) => found.get(word)).find((one) => one !== undefined);
      if (cause) found.set(name, { ...cause, name });
    }
  }
  return found;
}

/**
 * Items of one kind that the patch leaves as they are written, but that are made of a changed constant.
 * @param textOf what of an item counts, in normal form
 */
export function itemsMadeOf<Kind extends "data" | "type">(
  file: ChangedFile,
  kind: Kind,
  constants: ReadonlyMap<string, ChangedConstant>,
  textOf: (item: Extract<Item, { kind: Kind }>) => string,
): { item: Extract<Item, { kind: Kind }>; constant: ChangedConstant }[] {
  if (constants.size === 0 || !file.after || !standsOutsideFunctions(file.after, constants)) return [];
  const changed = new Set(file.changes.map(({ after }) => after?.start));
  return file.after.items.flatMap((item) => {
    if (item.kind !== kind || item.kept === "no" || changed.has(item.start)) return [];
    const own = item as Extract<Item, { kind: Kind }>;
    const words = namesIn(textOf(own));
    const constant = [...words].map((word) => constants.get(word)).find((one) => one !== undefined);
    return constant ? [{ item: own, constant }] : [];
  });
}

/** A `#define` with the lines that continue it. */
const DEFINITION = /^[ \t]*#[ \t]*define\b(?:\\\r?\n|[^\n])*/gm;

/** Whether a text names any of them: quicker than to read its items. */
function holdsAny(text: string, names: ReadonlyMap<string, unknown>): boolean {
  for (const [word] of text.matchAll(/[A-Za-z_]\w*/g)) if (names.has(word)) return true;
  return false;
}

function standsOutsideFunctions(file: SourceFile, names: ReadonlyMap<string, unknown>): boolean {
  for (const { 0: word, index } of file.text.matchAll(/[A-Za-z_]\w*/g))
    if (names.has(word) && !headingAt(file, file.lines.lineAt(index))?.isFunction) return true;
  return false;
}

const constantsOfHeaders = oncePer((changes: ChangeSet): readonly ChangedConstant[] =>
  changes.files.filter(({ path }) => path.endsWith(".h")).flatMap((file) => constantsOf(file)),
);

/** Computed once for each file: every other file of the patch asks for those of its headers. */
const constantsOf = oncePer((file: ChangedFile): readonly ChangedConstant[] => [
  ...changedMacros(file),
  ...changedEnumerators(file),
]);

function* changedMacros(file: ChangedFile): Generator<ChangedConstant> {
  for (const { before, after, name, place } of changesOf(file, "macro")) {
    if (!before || !after || before.kept === "no" || after.kept === "no") continue;
    const parameters = (of: typeof after) => of.parameters?.join(",");
    if (before.body === after.body && parameters(before) === parameters(after)) continue;
    const value = constantValue(after.body);
    if (value !== undefined && value === constantValue(before.body)) continue;
    yield { name, before: before.body, after: after.body, place };
  }
}

function* changedEnumerators(file: ChangedFile): Generator<ChangedConstant> {
  for (const { before, after, place } of changesOf(file, "type")) {
    if (before?.keyword !== "enum" || after?.keyword !== "enum" || after.kept === "no") continue;
    const old = enumeratorValues(before);
    for (const [name, value] of enumeratorValues(after)) {
      const was = old.get(name);
      if (was !== undefined && was !== value) yield { name, before: was, after: value, place };
    }
  }
}
