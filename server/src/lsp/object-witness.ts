import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import { build } from "./commands.js";
import { inWords, type KernelTree } from "./kernel-tree.js";

/** Asks the objects in the background, one change of a tree at a time: what was saved last counts. */
export class ObjectWitness {
  readonly #asked = new WeakMap<KernelTree, AbortController>();

  /** @param work of the request; its signal stops it as well */
  async ask(work: Work, tree: KernelTree): Promise<void> {
    if (!tree.target.profile || tree.changes().length === 0) return;
    this.#asked.get(tree)?.abort();
    const stop = new AbortController();
    this.#asked.set(tree, stop);
    try {
      await build({ ...work, signal: AbortSignal.any([work.signal, stop.signal]) }, tree, {
        output: undefined,
      });
      tree.note("objects", undefined);
    } catch (error) {
      if (error instanceof Fault && error.code === "interrupted") return;
      tree.note("objects", `the objects cannot be compared: ${inWords(error)}`);
    }
  }
}
