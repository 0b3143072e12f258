import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const WORKERS = new URL("../../dist/review/source-workers.js", import.meta.url).href;

/** Has a thread parse a large text for a moment, and then does something, in a process of its own. */
function whileParsing(then: string) {
  const script = `
    import { setTimeout } from "node:timers/promises";
    import { startWorkers } from "${WORKERS}";
    const tree = { id: "t", root: "/", arch: "x86_64", version: [6, 1], release: "6.1.0", immutable: false };
    const workers = startWorkers(tree, 1);
    await workers.findUses("int a;", new Set(["a"]));
    const text = "int f(int n)\\n{\\n\\treturn g(n) + g(n + 1);\\n}\\n".repeat(4000);
    const uses = workers.findUses(text, new Set(["g"])).catch(() => undefined);
    await setTimeout(150);
    ${then}`;
  const folder = mkdtempSync(join(tmpdir(), "source-workers-"));
  try {
    writeFileSync(join(folder, "run.mjs"), script);
    return spawnSync(process.execPath, [join(folder, "run.mjs")], { encoding: "utf8" });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const TOLD_NAMES = 'workers.findUses(text, new Set(["g"]), new Set(["f"])).catch(() => undefined);';

test.each([
  "process.exit(0);",
  "await workers.close();",
  "await uses; await workers.close();",
  `${TOLD_NAMES} await workers.close();`,
])("a process ends by itself while a thread parses: %s", (then) => {
  const { status, signal, stderr } = whileParsing(then);
  expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: "" });
});
