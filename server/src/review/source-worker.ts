// A thread of source-workers.ts: parses what it is handed, and answers with plain values.
import { setImmediate } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import type { FileChange } from "@kernel-hotpatch/kernel/build/patch-files";
import { compareFile } from "../change/read-change-set.js";
import { loadEngine } from "../syntax/engine.js";
import { readConditionsOf } from "../tree/conditions.js";
import { parseConfig } from "../tree/config.js";
import type { SourceTree } from "../tree/source-tree.js";
import { usesInFile } from "../tree/uses-in-file.js";
import { BUSY, STOP } from "./thread-state.js";

/** What a thread has to know of the tree: a `SourceTree` that can be handed over. */
export interface Seed {
  readonly tree: Omit<SourceTree, "config">;
  /** Text of the configuration. */
  readonly config: string | undefined;
  /** Shared: `BUSY` and `STOP` of thread-state.ts. */
  readonly state: Int32Array;
}

export type Job =
  | { readonly kind: "compare"; readonly file: FileChange }
  | {
      readonly kind: "uses";
      readonly text: string;
      readonly names: ReadonlySet<string>;
      /** Whether the names told before are looked for as well. */
      readonly everywhere: boolean;
    };

export interface Asked {
  readonly id: number;
  readonly job: Job;
}

/** Names to look for from now on; there is no answer to it. */
export interface Told {
  readonly everywhere: ReadonlySet<string>;
}

export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: unknown;
}

const { tree, config, state }: Seed = workerData;
const engine = await loadEngine();
const readConditions = readConditionsOf({
  ...tree,
  ...(config !== undefined && { config: parseConfig(config) }),
});

rest();

const received: (Asked | Told)[] = [];
let everywhere: ReadonlySet<string> = new Set();
let isWorking = false;
parentPort?.on("message", (one: Asked | Told | "end") => {
  if (one === "end") return void parentPort?.close();
  received.push(one);
  if (!isWorking) void workOn();
});

async function workOn(): Promise<void> {
  isWorking = true;
  for (let next = received.shift(); next; next = received.shift()) {
    if ("everywhere" in next) {
      everywhere = next.everywhere;
      continue;
    }
    // Trees are given back between two turns of the event loop only, and messages that wait make no turn.
    await setImmediate();
    parentPort?.postMessage(answer(next));
  }
  isWorking = false;
}

function answer({ id, job }: Asked): Answer {
  Atomics.store(state, BUSY, 1);
  try {
    if (Atomics.load(state, STOP) === 1) return { id, error: new Error("the thread was told to stop") };
    return { id, value: result(job) };
  } catch (error) {
    return { id, error };
  } finally {
    rest();
  }
}

function rest(): void {
  Atomics.store(state, BUSY, 0);
  Atomics.notify(state, BUSY);
}

function result(job: Job): unknown {
  switch (job.kind) {
    case "compare":
      return compareFile(engine, job.file, readConditions);
    case "uses":
      return usesInFile(engine, job.text, job.names, job.everywhere ? everywhere : undefined);
  }
}
