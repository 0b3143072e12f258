// Prints the seconds that comparing two objects takes in a fresh process, as a build does it whose patch stays
// within functions, or with all types: `diff-once.js ORIG.o PATCHED.o [types]`.
import { readFile } from "node:fs/promises";
import { diffObjects, openObject } from "@kernel-hotpatch/kernel/objdiff/diff-objects";

/** As if the author of the patch had edited every function that differs. */
const EXPECTED = { editsFunction: () => true, editsAt: () => true, macroIn: () => undefined };
const [origPath = "", patchedPath = "", types] = process.argv.slice(2);
const [orig, patched] = await Promise.all([readFile(origPath), readFile(patchedPath)]);
const started = performance.now();
diffObjects(
  openObject(orig, origPath),
  openObject(patched, patchedPath),
  types === undefined ? { sameTypes: true, edits: EXPECTED } : {},
);
process.stdout.write(`${(performance.now() - started) / 1000}\n`);
