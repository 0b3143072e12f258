import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, test } from "vitest";
import { type AttackBench, attackBench } from "./attack-bench.js";
import { patchOf } from "./kernel.js";

// Attacks that a kernel in a guest runs, and those that take as long as they may: `npm run attack`.

const MINUTES = 60_000;
const UNIT = "fs/proc/cmdline.c";
let bench: AttackBench;

beforeAll(async () => {
  bench = await attackBench();
}, 15 * MINUTES);
afterAll(() => bench.remove());

/** A harmless patch, except where it says so. */
const patch =
  (code = 'seq_puts(m, " hotpatched\\n");') =>
  () =>
    patchOf(bench.kernel, UNIT, (text) => text.replace("seq_putc(m, '\\n');", code));

/** The results of all steps, as a guest would tell them. */
const KTAP = ["load", "transition", "disable", "unload"]
  .map((step, at) => `ok ${at + 1} ${step}`)
  .join("\\n");

const unconvincing = /\[behaviour-unchanged\]/;

test.each([
  ["never ends", "# timeout: 3\nwhile :; do :; done", 0, unconvincing],
  ["forks without end", "# timeout: 3\nb() { b | b & }; b; wait", 1, /\[kernel-complained\]/],
  ["floods the console", "cat /dev/zero > /dev/ttyS0", 1, /flooded its console.*\[kernel-complained\]/],
  [
    "prints the results of others",
    `printf 'KTAP version 1\\n1..9\\n${KTAP}\\n# end\\n'; exit 1`,
    0,
    unconvincing,
  ],
  [
    "writes some results of others",
    `printf '${KTAP}\\n# end\\n' > /dev/$protocol; poweroff -f`,
    1,
    /not reported the step 'test before: attack' \[kernel-complained\]/,
  ],
  [
    "speaks to QEMU's monitor and to the terminal",
    "printf '\\001c\\nquit\\n\\001x\\033[2J' | tee /dev/ttyS0 /dev/ttyS1; exit 1",
    0,
    unconvincing,
  ],
] as const)(
  "a test that %s",
  async (what, script, status, says) => {
    writeFileSync(join(bench.folder, "attack.sh"), `${script}\n`);
    const args = ["review", "attack.patch", "--test", "attack.sh", "-o", "out"];
    await bench.expectContained(args, { what, patch: patch(), status, says });
  },
  10 * MINUTES,
);

test(
  "a patch that never ends in the kernel",
  async () => {
    writeFileSync(join(bench.folder, "attack.sh"), "cat /proc/cmdline | grep -q hotpatched\n");
    const args = ["review", "attack.patch", "--test", "attack.sh", "-o", "out"];
    const code = "for (;;) barrier();";
    await bench.expectContained(args, {
      what: "",
      patch: patch(code),
      status: 1,
      says: /soft lockup.*\[kernel-complained\]/,
    });
  },
  10 * MINUTES,
);

test(
  "a patch that compiles without end",
  async () => {
    const twice = '#include "cmdline.c"\n'.repeat(2);
    await bench.expectContained(["build", "attack.patch", "-o", "out"], {
      what: "",
      patch: () => patchOf(bench.kernel, UNIT, () => `#if __INCLUDE_LEVEL__ < 60\n${twice}#endif\n`),
      status: 2,
      says: /took more than \d+ s or printed too much/,
    });
  },
  10 * MINUTES,
);
