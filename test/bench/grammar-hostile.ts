import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { loadNativeEngine, loadWasmEngine, withTree } from "@kernel-hotpatch/server/syntax/engine";
import type { Engine } from "@kernel-hotpatch/server/syntax/tree";
import { startClock } from "./grammar-clock.js";
import { hotpatch } from "./measure.js";

export interface HostileResult {
  readonly what: string;
  readonly value: string;
  readonly holds: boolean;
  readonly wanted: string;
}

const NESTED = `int a = ${"(".repeat(10_000)}1${")".repeat(10_000)};\n`;
const MACRO = "FOO_BAR(a, b, c)\n";
const MACROS = MACRO.repeat(Math.ceil(50e6 / MACRO.length));

/** What is too large for the tests: 50 MB of macros through `hotpatch parse` and WASM; and deep nesting on both engines. */
export async function measureHostile(): Promise<HostileResult[]> {
  const wasm = await loadWasmEngine();
  return [await macrosNative(), macrosWasm(wasm), nested(await loadNativeEngine()), nested(wasm)];
}

async function macrosNative(): Promise<HostileResult> {
  const folder = await mkdtemp(join(tmpdir(), "grammar-"));
  try {
    const file = join(folder, "macros.c");
    await writeFile(file, MACROS);
    const { seconds, memory } = await hotpatch(["parse", file]);
    return {
      what: "50 MB of macros, hotpatch parse",
      value: `${seconds.toFixed(0)} s by the clock, ${memory.toFixed(0)} MiB at the peak`,
      holds: seconds <= 300 && memory <= 12 * 1024,
      wanted: "<= 300 s, 12 GiB",
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function macrosWasm(engine: Engine): HostileResult {
  const what = "50 MB of macros, WASM";
  const wanted = "a refusal in words";
  try {
    withTree(engine, MACROS, () => undefined);
    return { what, value: "parsed", holds: false, wanted };
  } catch (error) {
    return {
      what,
      value: error instanceof Error ? error.message : String(error),
      holds: error instanceof Fault,
      wanted,
    };
  }
}

function nested(engine: Engine): HostileResult {
  const stop = startClock();
  const clean = withTree(engine, NESTED, (tree) => !tree.root.hasError);
  const { processor } = stop();
  return {
    what: `10,000 nested parentheses, ${engine.kind}`,
    value: `${processor.toFixed(2)} s of the processor's time, ${clean ? "read" : "NOT read"}`,
    holds: clean && processor <= 5,
    wanted: "<= 5 s, read",
  };
}
