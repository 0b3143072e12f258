import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { FileChange } from "@kernel-hotpatch/kernel/build/patch-files";
import { type Compare, isC } from "../change/read-change-set.js";
import type { FindUses } from "../tree/gather-facts.js";
import type { SourceTree } from "../tree/source-tree.js";
import type { Answer, Asked, Job, Seed } from "./source-worker.js";

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
  if (bytes < WORTHWHILE || count < 2) return undefined;

  const { config, ...rest } = tree;
  const seed: Seed = { tree: rest, config: config?.text };
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
        for (const thread of threads) void thread.ask({ kind: "names", everywhere });
      toldEverywhere = everywhere ?? toldEverywhere;
      const job: Job = { kind: "uses", text, names, everywhere: everywhere !== undefined };
      return (await ask(job)) as Awaited<ReturnType<FindUses>>;
    },
    close: async () => {
      await Promise.all(threads.map((thread) => thread.close()));
    },
  };
}

function openThread(seed: Seed) {
  const worker = new Worker(new URL("./source-worker.js", import.meta.url), { workerData: seed });
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>();
  let count = 0;
  worker.on("message", ({ id, value, error }: Answer) => {
    const asked = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) asked?.resolve(value);
    else asked?.reject(error);
  });
  worker.on("error", (error) => {
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  });
  return {
    waiting: () => waiting.size,
    ask: (job: Job) =>
      new Promise<unknown>((resolve, reject) => {
        const id = count++;
        waiting.set(id, { resolve, reject });
        worker.postMessage({ id, job } satisfies Asked);
      }),
    close: () => worker.terminate(),
  };
}
