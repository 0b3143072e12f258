import { once } from "node:events";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { FileChange } from "@kernel-hotpatch/kernel/build/patch-files";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { type Compare, isC } from "../change/read-change-set.js";
import type { FindUses } from "../tree/gather-facts.js";
import type { SourceTree } from "../tree/source-tree.js";
import type { Answer, Asked, Job, Seed, Told } from "./source-worker.js";
import { BUSY, STOP } from "./thread-state.js";

/** Threads that parse, one for each processor: a patch of hundreds of files is read by all of them. */
export interface SourceWorkers {
  readonly compare: Compare;
  readonly findUses: FindUses;
  /** Ends them; what they still do is given up. */
  close(): Promise<void>;
}

/** Below so many bytes of C, starting threads takes longer than it saves. */
const WORTHWHILE = 4 * 1024 * 1024;

/**
 * Starts threads for a large patch.
 * @returns undefined where the patch is too small, or the machine has one processor
 */
export function sourceWorkers(tree: SourceTree, files: readonly FileChange[]): SourceWorkers | undefined {
  const bytes = files
    .filter(({ path }) => isC(path))
    .reduce((sum, { before, after }) => sum + (before?.length ?? 0) + (after?.length ?? 0), 0);
  const count = availableParallelism();
  return bytes < WORTHWHILE || count < 2 ? undefined : startWorkers(tree, count);
}

/** Milliseconds: more than any file takes to parse. */
const LONGEST_JOB = 20_000;

/** Starts threads that parse. @param count how many */
export function startWorkers(tree: SourceTree, count: number): SourceWorkers {
  const { config, answers: _, ...rest } = tree;
  const seed = { tree: rest, config: config?.text };
  const threads = Array.from({ length: count }, () => openThread(seed));
  const ask = (job: Job): Promise<unknown> => {
    const [freest] = threads.toSorted((a, b) => a.waiting() - b.waiting());
    if (!freest) throw new Error("no thread");
    return freest.ask(job);
  };
  let toldEverywhere: ReadonlySet<string> | undefined;
  return {
    compare: async (file) => (await ask({ kind: "compare", file })) as Awaited<ReturnType<Compare>>,
    findUses: async (text, names, everywhere) => {
      // They are many: each thread is told them once.
      if (everywhere && everywhere !== toldEverywhere)
        for (const thread of threads) thread.tell({ everywhere });
      toldEverywhere = everywhere ?? toldEverywhere;
      const job: Job = { kind: "uses", text, names, everywhere: everywhere !== undefined };
      return (await ask(job)) as Awaited<ReturnType<FindUses>>;
    },
    close: async () => {
      await Promise.all(threads.map((thread) => thread.close()));
    },
  };
}

function openThread(seed: Omit<Seed, "state">) {
  const state = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
  // It is at work until its engine is loaded.
  Atomics.store(state, BUSY, 1);
  const workerData: Seed = { ...seed, state };
  const worker = new Worker(new URL("./source-worker.js", import.meta.url), { workerData });
  // The process ends its threads wherever they are.
  const waitForRest = () => {
    Atomics.store(state, STOP, 1);
    Atomics.wait(state, BUSY, 1, LONGEST_JOB);
  };
  process.once("exit", waitForRest);
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>();
  let count = 0;
  worker.on("message", ({ id, value, error }: Answer) => {
    const asked = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) asked?.resolve(value);
    else asked?.reject(error);
  });
  let ended: unknown;
  const end = (error: unknown) => {
    ended ??= error;
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
  };
  worker.on("error", (error) => {
    process.off("exit", waitForRest);
    end(error);
  });
  worker.on("exit", () => {
    process.off("exit", waitForRest);
    end(new Fault("interrupted", "interrupted"));
  });
  return {
    waiting: () => waiting.size,
    ask: (job: Job) =>
      new Promise<unknown>((resolve, reject) => {
        if (ended !== undefined) return reject(ended);
        const id = count++;
        waiting.set(id, { resolve, reject });
        worker.postMessage({ id, job } satisfies Asked);
      }),
    tell: (names: Told) => worker.postMessage(names),
    close: async () => {
      Atomics.store(state, STOP, 1);
      if (ended !== undefined) return;
      worker.postMessage("end");
      await once(worker, "exit");
    },
  };
}
