import type { Declaration } from "../dwarf/debug-information.js";
import type { CodeInformation, CompiledFunction, Inlined } from "../dwarf/functions.js";
import type { Observation } from "../observation.js";
import { type Atom, isAtom } from "./atoms.js";
import type { Comparer } from "./compare.js";
import { type Correlation, withoutNumbers } from "./correlate.js";
import type { Judgement } from "./judge.js";

/** What the author of a patch wrote, as far as it tells which functions he meant to change. */
export interface Edits {
  /** Whether the patch edits a function of this name, in whichever file. */
  readonly editsFunction: (name: string) => boolean;
  /** Whether the patch edits the function that is declared there: macros give names of their own. */
  readonly editsAt: (declaration: Declaration) => boolean;
  /** The name of an edited macro that the function declared there uses. */
  readonly macroIn: (declaration: Declaration) => string | undefined;
}

/** The debug information of both objects, read when it is asked for. */
interface Sides {
  readonly orig: { readonly code: () => CodeInformation | undefined };
  readonly patched: { readonly code: () => CodeInformation | undefined };
}

interface Findings {
  readonly correlation: Correlation;
  readonly comparison: Comparer;
  readonly judgement: Judgement;
  /** Types that differ, such as `struct page`. */
  readonly types: readonly string[];
  readonly edits: Edits | undefined;
}

/**
 * Says why functions changed that the author of the patch did not touch. Without knowledge of the edits, it names what
 * is inlined where a function first differs.
 */
export function explain({ orig, patched }: Sides, findings: Findings): Observation[] {
  const { judgement, correlation, edits } = findings;
  const remarks: Observation[] = [];
  let same: ReadonlySet<string> | undefined;
  for (const atom of judgement.changed) {
    const name = sourceName(atom);
    if (edits?.editsFunction(name)) continue;
    const dragged = judgement.dragged.get(atom);
    if (dragged !== undefined) {
      remarks.push(remark(atom, { words: dragged }));
      continue;
    }
    const origAtom = correlation.origOf.get(atom);
    const [before, after] = [functionOf(orig.code(), origAtom), functionOf(patched.code(), atom)];
    if (edits && after && edits.editsAt(after.declaration)) continue;
    const byDifference = () => {
      const isSame = (inner: string) => {
        same ??= inlinedUnchanged(patched.code(), findings);
        return same.has(inner);
      };
      return origAtom && inlinedAtFirstDifference(origAtom, atom, before, after, findings.comparison, isSame);
    };
    const cause = edits ? causeByEdits(before, after, edits) : byDifference();
    const known =
      cause ??
      typeUsed(after, findings.types) ??
      (edits ? (inlinedOtherwise(before, after) ?? otherClone(origAtom, atom)) : undefined);
    if (known !== undefined) remarks.push(remark(atom, known));
    else if (edits)
      remarks.push({
        rule: "unexpected-function",
        symbol: atom.name,
        message: `function '${atom.name}' changed although the patch does not touch it: ${otherReference(origAtom, atom) ?? "the compiler chose differently"}`,
      });
  }
  return remarks;
}

/** What goes behind "because", and where to look. */
interface Cause {
  readonly words: string;
  readonly at?: Declaration;
}

/** Explained, it is for information only. */
function remark({ name }: Atom, { words, at }: Cause): Observation {
  return {
    rule: "unexpected-function",
    severity: "info",
    symbol: name,
    message: `function '${name}' changed because ${words}`,
    ...(at && at.file !== "" && { file: at.file, line: at.line }),
  };
}

/** The name that the source has for a function and its clones. */
function sourceName({ name }: Atom): string {
  return withoutNumbers(name).replace(/\.(isra|constprop|part|cold|llvm)\b.*$/, "");
}

function functionOf(code: CodeInformation | undefined, atom: Atom | undefined): CompiledFunction | undefined {
  return atom && (code?.functionNamed(atom.name) ?? code?.functionNamed(sourceName(atom)));
}

function causeByEdits(
  before: CompiledFunction | undefined,
  after: CompiledFunction | undefined,
  edits: Edits,
): Cause | undefined {
  const isEdited = ({ name, declaration }: Inlined) =>
    edits.editsFunction(name) || edits.editsAt(declaration);
  const inlined = after?.inlined.find(isEdited);
  if (inlined) return { words: `it inlines '${inlined.name}', which changed`, at: inlined.declaration };
  const gone = before?.inlined.find(isEdited);
  if (gone) return { words: `it inlined '${gone.name}', which changed`, at: gone.declaration };
  const own = after && edits.macroIn(after.declaration);
  if (own !== undefined) return { words: `it uses the macro '${own}', which changed` };
  for (const { name, declaration } of after?.inlined ?? []) {
    const macro = edits.macroIn(declaration);
    if (macro !== undefined)
      return {
        words: `it inlines '${name}', which uses the macro '${macro}', which changed`,
        at: declaration,
      };
  }
  return undefined;
}

/** What functions inline that are the same before and after: it cannot be what changed. */
function inlinedUnchanged(
  code: CodeInformation | undefined,
  { correlation: { origOf }, judgement: { changed, copied } }: Findings,
): Set<string> {
  const differing = new Set([...changed, ...copied]);
  const names = new Set<string>();
  for (const atom of origOf.keys())
    if (atom.kind === "function" && !differing.has(atom))
      for (const { name } of functionOf(code, atom)?.inlined ?? []) names.add(name);
  return names;
}

function inlinedAtFirstDifference(
  origAtom: Atom,
  atom: Atom,
  before: CompiledFunction | undefined,
  after: CompiledFunction | undefined,
  { firstDifference }: Comparer,
  isSame: (inlined: string) => boolean,
): Cause | undefined {
  const place = firstDifference(origAtom, atom);
  if (place === undefined) return undefined;
  const innermost = (compiled: CompiledFunction | undefined, { section, start }: Atom) =>
    compiled?.inlined.findLast(
      ({ name, covers }) => name !== compiled.name && covers(section, start + place) && !isSame(name),
    );
  const inlined = innermost(after, atom) ?? innermost(before, origAtom);
  return (
    inlined && {
      words: `of what it inlines from '${inlined.name}': there it differs first`,
      at: inlined.declaration,
    }
  );
}

function typeUsed(after: CompiledFunction | undefined, types: readonly string[]): Cause | undefined {
  const type = types.find((words) => after?.types.has(words.replace(/^\w+ /, "")));
  return type === undefined ? undefined : { words: `${type}, which it uses, changed` };
}

/** The patch changed how often something is called, and thereby what the compiler makes of it. */
function inlinedOtherwise(
  before: CompiledFunction | undefined,
  after: CompiledFunction | undefined,
): Cause | undefined {
  if (!before || !after) return undefined;
  const names = ({ inlined }: CompiledFunction) => new Set(inlined.map(({ name }) => name));
  const [was, is] = [names(before), names(after)];
  const gone = before.inlined.find(({ name }) => !is.has(name));
  if (gone) return { words: `the compiler does not inline '${gone.name}' into it any more` };
  const come = after.inlined.find(({ name }) => !was.has(name));
  return come && { words: `the compiler now inlines '${come.name}' into it` };
}

/** In code that is the same but for what it refers to, the first that differs. */
function otherReference(orig: Atom | undefined, { references }: Atom): string | undefined {
  if (orig?.references.length !== references.length) return undefined;
  for (const [index, { target }] of references.entries()) {
    const was = orig.references[index]?.target.name ?? "";
    const is = target.name;
    if (was !== "" && is !== "" && withoutNumbers(was) !== withoutNumbers(is))
      return `it refers to '${is}', where it referred to '${was}'`;
  }
  return undefined;
}

/** The compiler divided a callee in another way. */
function otherClone(orig: Atom | undefined, patched: Atom): Cause | undefined {
  const names = (atom: Atom | undefined) =>
    new Map(
      (atom?.references ?? []).flatMap(({ target }): [string, string][] =>
        isAtom(target) && target.kind === "function"
          ? [[sourceName(target), withoutNumbers(target.name)]]
          : [],
      ),
    );
  const before = names(orig);
  for (const [name, now] of names(patched)) {
    const was = before.get(name);
    if (was !== undefined && was !== now)
      return { words: `the compiler made '${now}' of '${was}', which it calls` };
    if (was === undefined && now !== name)
      return { words: `the compiler made '${now}' of what was a part of it` };
  }
  return undefined;
}
