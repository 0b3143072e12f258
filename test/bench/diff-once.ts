// Compares two objects in a fresh process, as a build does it whose patch stays within functions, or with all types:
// `diff-once.js ORIG.o PATCHED.o [types]`. Prints the seconds of processor time that it took without Node's start, and
// the process's peak memory in KiB.
import { readFileSync, writeSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import type * as diffing from "@kernel-hotpatch/kernel/objdiff/diff-objects";

/** As `hotpatch objdiff` sets it. */
setFlagsFromString("--interrupt-budget=1000000");
// One of the bundle that `hotpatch` runs from.
const bundle: string = new URL("../../../server/dist/bundle/diff-objects.js", import.meta.url).href;
const { diffObjects, openObject } = (await import(bundle)) as typeof diffing;

/** As if the author of the patch had edited every function that differs. */
const EXPECTED = { editsFunction: () => true, editsAt: () => true, macroIn: () => undefined };
const [orig = "", patched = "", types] = process.argv.slice(2);
const started = process.cpuUsage();
diffObjects(
  openObject(readFileSync(orig), orig),
  openObject(readFileSync(patched), patched),
  types === undefined ? { sameTypes: true, edits: EXPECTED } : {},
);
const { user, system } = process.cpuUsage(started);
// A stream would have to be made first.
writeSync(1, `${(user + system) / 1e6} ${process.resourceUsage().maxRSS}\n`);
