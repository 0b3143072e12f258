import type { Place } from "../../change/place.js";
import type { TreeFacts, Use } from "../../tree/tree-facts.js";
import { listed } from "../listed.js";

/**
 * Where a changed item is used in code that may be part of the running kernel: neither definitions nor declarations, nor
 * files that define something of their own by this name.
 * @param path the file it stands in
 */
export function usesOf(facts: TreeFacts, name: string, path: string): { uses: Use[]; areAll: boolean } {
  const { places, count } = facts.uses(name);
  const others = new Set(
    places.filter(({ kind, file }) => kind === "definition" && file !== path).map(({ file }) => file),
  );
  const uses = places.filter(
    ({ kind, file }) =>
      kind !== "definition" && kind !== "declaration" && !others.has(file) && isBuilt(facts, file),
  );
  return { uses, areAll: places.length === count };
}

/** Whether code of a file may be part of the running kernel; a header always may. */
function isBuilt(facts: TreeFacts, path: string): boolean {
  return !path.endsWith(".c") || facts.build(path).into !== "nothing";
}

/** Names of the functions that call a function by name, each once. */
export function callersOf(facts: TreeFacts, name: string): string[] {
  return functionsOf(
    facts.uses(name).places.filter(({ kind }) => kind === "call"),
    name,
  );
}

/** Names of the functions that uses are in, each once. @param name left out: a function that uses itself */
export function functionsOf(uses: readonly Use[], name: string): string[] {
  return [...new Set(uses.map(({ within }) => within).filter((within) => within !== undefined))].filter(
    (within) => within !== name,
  );
}

/** How far a use reaches, in words: `3 functions of 2 files: 'a', 'b' and 'c'`. */
export function reachInWords(uses: readonly Use[], name: string): string {
  const functions = functionsOf(uses, name).map((one) => `'${one}'`);
  const files = [...new Set(uses.map(({ file }) => file))];
  const ofFiles = `${files.length} ${files.length === 1 ? "file" : "files"}`;
  if (functions.length === 0) return `${ofFiles}: ${listed(files)}`;
  return `${functions.length} ${functions.length === 1 ? "function" : "functions"} of ${ofFiles}: ${listed(functions)}`;
}

/** The first few uses of a name, to show beside a finding. */
export function shownUses(uses: readonly Use[], name: string, most = 3): { at: Place; message: string }[] {
  return uses.slice(0, most).map((use) => ({ at: placeOfUse(use, name), message: wordsFor(use, name) }));
}

/** Where a name is used. */
export function placeOfUse({ file, line, column }: Use, name: string): Place {
  return { file, line, column, endLine: line, endColumn: column + name.length };
}

function wordsFor({ kind, within, member, argumentOf }: Use, name: string): string {
  if (member !== undefined) return `'${name}' is stored in '.${member}'`;
  if (kind === "call") return within === undefined ? `'${name}' is called` : `called by '${within}'`;
  if (argumentOf !== undefined) return `'${name}' is given to ${argumentOf}`;
  return within === undefined ? `'${name}' is used` : `used by '${within}'`;
}
