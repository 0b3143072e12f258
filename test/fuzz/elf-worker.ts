// The cases of `npm run fuzz -- elf`, in a thread of their own, so that one that hangs can be told.
import { parentPort, workerData } from "node:worker_threads";
import { openObject } from "@kernel-hotpatch/kernel/objdiff/diff-objects";
import { type Damaged, listedDamage, randomDamage } from "./damage.js";
import type { Progress } from "./elf.js";
import { COMPILERS, compileSmallPair } from "./small-objects.js";
import { tryToCompare, tryToRead } from "./try-damaged.js";

const { cases, seed } = workerData as { cases: number; seed: number };
const TELL_EACH = 100;
/** Comparing costs ten times as much as reading; a prime number, so that every kind of damage has its turn. */
const COMPARED_EACH = 7;
const FAILURES_KEPT = 20;
// Most cases end in an error, and nobody reads where it was thrown.
Error.stackTraceLimit = 3;

const failures = new Map<string, { what: string; error: string; times: number }>();
let [done, read, slowest] = [0, 0, { milliseconds: 0, what: "" }];
const tell = (isLast: boolean) => {
  const progress: Progress = {
    ...{ cases: done, read, slowest, done: isLast },
    failures: [...failures.values()],
  };
  parentPort?.postMessage(progress);
};

for (const { damaged, whole } of allCases()) {
  const started = process.cpuUsage();
  try {
    if (tryToRead(damaged.bytes) === "read") read++;
    if (done % COMPARED_EACH === 0) tryToCompare(damaged.bytes, whole, done % 2 === 0);
  } catch (error) {
    note(damaged, error);
  }
  // Not of the clock: on a busy machine a case may wait for its turn.
  const { user, system } = process.cpuUsage(started);
  const milliseconds = (user + system) / 1000;
  if (milliseconds > slowest.milliseconds) slowest = { milliseconds, what: damaged.what };
  if (++done % TELL_EACH === 0) tell(false);
  if (done === cases) break;
}
tell(true);

function* allCases() {
  const pairs = COMPILERS.map(compileSmallPair).map(({ compiler, orig, patched }) => ({
    ...{ compiler, patched, whole: openObject(orig, "orig.o"), damageAtRandom: randomDamage(patched) },
  }));
  for (const { compiler, patched, whole } of pairs)
    for (const { what, bytes } of listedDamage(patched))
      yield { damaged: { what: `${compiler}, ${what}`, bytes }, whole };
  for (let number = 0; ; number++)
    for (const { compiler, whole, damageAtRandom } of pairs) {
      const { what, bytes } = damageAtRandom((seed + number) >>> 0);
      yield { damaged: { what: `${compiler}, ${what}`, bytes }, whole };
    }
}

function note({ what }: Damaged, error: unknown): void {
  const words = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const known = failures.get(words);
  if (known) known.times++;
  else if (failures.size < FAILURES_KEPT) failures.set(words, { what, error: words, times: 1 });
}
