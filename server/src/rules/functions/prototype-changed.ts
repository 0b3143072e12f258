import type { FunctionItem } from "../../change/item.js";
import { changesOf } from "../../change/sides.js";
import type { TreeFacts, Use } from "../../tree/tree-facts.js";
import type { Edit, Fix, Inspection, SourceRule } from "../inspection.js";
import { listed } from "../listed.js";
import type { Severity } from "../rule.js";
import { initAnnotation } from "./annotations.js";
import { functionsOf, placeOfUse, shownUses, usesOf } from "./callers.js";
import { hasOtherTypes } from "./changed-code.js";

/** @see docs/rules/prototype-changed.md */
export const prototypeChanged: SourceRule = {
  id: "prototype-changed",
  severity: "unsafe",
  witnesses: ["source", "object"],
  summary: "parameters or result of a function changed that unpatched code calls",
  why: "Callers outside of the patch pass what the old function took and expect what it returned; they are redirected to the new one all the same.",
  remedy:
    "Leave the function as it is, and give the new parameters to a new function that only patched code calls.",
  sources: ["Documentation/livepatch/livepatch.rst, 7. Limitations"],
  *check(inspection) {
    const { file, facts } = inspection;
    for (const { before, after, name, place } of changesOf(file, "function")) {
      if (!before || !after || after.kept === "no" || !hasOtherTypes(before, after)) continue;
      if (initAnnotation(before.annotations, facts.tree.config)) continue;
      const { severity, words, uses } = weigh(facts, before, after);
      const fix = severity === "info" ? undefined : newFunction(inspection, before, after);
      yield {
        at: place,
        symbol: name,
        severity,
        message: `the patch changes ${difference(before, after)} of '${name}', ${words}`,
        related: shownUses(uses, name),
        ...(fix && { fixes: [fix] }),
      };
    }
  },
};

interface Weighed {
  readonly severity: Severity;
  /** Completes `the patch changes the parameters of 'f', …`. */
  readonly words: string;
  readonly uses: readonly Use[];
}

/** Who calls a function with another prototype. */
function weigh(facts: TreeFacts, before: FunctionItem, after: FunctionItem): Weighed {
  const { name, file } = after;
  if (after.macro?.includes("SYSCALL_DEFINE"))
    return { severity: "unsafe", words: "which programs keep calling as before", uses: [] };
  if (after.isInline) return { severity: "info", words: "which is part of its callers", uses: [] };
  const { uses, areAll } = usesOf(facts, name, file);
  const exporter = exporterOf(facts, name, uses);
  if (onlyQualified(before, after))
    return exporter === undefined
      ? { severity: "info", words: "but only in qualifiers: it is called as before", uses: [] }
      : {
          severity: "needs-review",
          words: `which ${exporter} exports: the checksum of the export may change`,
          uses: [],
        };
  const calls = uses.filter(({ kind, inPatch }) => kind === "call" && !inPatch);
  if (exporter !== undefined)
    return { severity: "unsafe", words: `which ${exporter} exports: modules call the old one`, uses: calls };
  const stored = uses.filter(({ kind }) => kind === "address");
  if (stored.length > 0)
    return {
      severity: "unsafe",
      words: "whose address is taken: it is called through a pointer of the old type",
      uses: stored,
    };
  if (calls.length > 0)
    return { severity: "unsafe", words: `which ${callersIn(calls, name)} outside of the patch`, uses: calls };
  const unread = uses.filter(({ kind, inPatch }) => kind === "unread" && !inPatch);
  if (unread.length > 0 || !areAll)
    return { severity: "needs-review", words: "and not all of its callers could be looked at", uses: unread };
  return { severity: "info", words: "but all of its callers are in the patch", uses: [] };
}

const EXPORT = /^EXPORT_/;

function exporterOf(facts: TreeFacts, name: string, uses: readonly Use[]): string | undefined {
  const exported = facts.exported(name);
  if (exported) return exported.module;
  const use = uses.find(({ argumentOf }) => argumentOf !== undefined && EXPORT.test(argumentOf));
  return use && (use.argumentOf ?? "the kernel");
}

function callersIn(uses: readonly Use[], name: string): string {
  const callers = functionsOf(uses, name);
  const files = [...new Set(uses.map(({ file }) => file))];
  return callers.length > 0
    ? `${listed(callers.map((caller) => `'${caller}'`))} (${listed(files)}) ${callers.length > 1 ? "call" : "calls"}`
    : `${listed(files)} ${files.length > 1 ? "call" : "calls"}`;
}

function difference(before: FunctionItem, after: FunctionItem): string {
  const result =
    before.returns === after.returns ? [] : [`the result (${before.returns} is now ${after.returns})`];
  const parameters = before.parameters.join() === after.parameters.join() ? [] : ["the parameters"];
  return [...parameters, ...result].join(" and ");
}

/** Whether only `const` and the like differ: values are passed as before. */
function onlyQualified(before: FunctionItem, after: FunctionItem): boolean {
  const bare = ({ returns, parameters }: FunctionItem) =>
    [returns, ...parameters]
      .join(" , ")
      .replace(/\b(?:const|volatile|restrict) ?/g, "")
      .trim();
  return bare(before) === bare(after);
}

/** Keeps the old function and gives the new one a name of its own, with all that the patch has calling it. */
function newFunction(
  { file, changes, facts }: Inspection,
  before: FunctionItem,
  after: FunctionItem,
): Fix | undefined {
  const { before: old, after: now } = file;
  if (!old || !now || after.macro !== undefined) return undefined;
  const { name } = after;
  const fresh = `${name}_hotpatch`;
  const oldText = old.text.slice(before.start, before.end);
  const calls = usesOf(facts, name, file.path)
    .uses.filter(({ kind, inPatch }) => kind === "call" && inPatch)
    .filter(({ file: caller, line }) => caller !== file.path || line < after.line || line > after.endLine);
  const edits: Edit[] = [
    { ...now.lines.place(file.path, after.start, after.start), text: `${oldText}\n\n` },
    { ...now.lines.place(file.path, after.nameStart, after.nameEnd), text: fresh },
    ...calls.map((call) => ({ ...placeOfUse(call, name), text: fresh })),
  ];
  for (const declared of changes.changes) {
    const { before: was, after: is } = declared;
    if (declared.name !== name || was?.kind !== "prototype" || is?.kind !== "prototype") continue;
    const holder = changes.files.find(({ path }) => path === declared.file);
    if (!holder?.before || !holder.after) return undefined;
    const kept = holder.before.text.slice(was.start, was.end);
    edits.push(
      { ...holder.after.lines.place(declared.file, is.start, is.start), text: `${kept}\n` },
      { ...holder.after.lines.place(declared.file, is.nameStart, is.nameEnd), text: fresh },
    );
  }
  return { title: `Keep '${name}' and call the new one '${fresh}'`, edits };
}
