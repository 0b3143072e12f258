import { ElfError } from "@kernel-hotpatch/kernel/elf/read";
import { writeElf } from "@kernel-hotpatch/kernel/elf/write";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { diffObjects, type OpenObject, openObject } from "@kernel-hotpatch/kernel/objdiff/diff-objects";

/** What became of a damaged object. */
export type Verdict = "read" | "refused";

/**
 * Reads a damaged object as everything of ours does: as a graph that is written again, and compared with the object
 * that it was made from, types included.
 * @param whole the other object of the pair, undamaged
 * @throws Error when anything but one line of refusal comes of it
 */
export function tryDamaged(bytes: Uint8Array, whole: OpenObject): Verdict {
  return outcomeOf(() => {
    const damaged = openObject(bytes, "damaged.o");
    writeElf(damaged.atomic.object);
    for (const { carried } of [diffObjects(whole, damaged), diffObjects(damaged, whole)])
      if (carried) writeElf(carried);
  });
}

function outcomeOf(action: () => void): Verdict {
  try {
    action();
    return "read";
  } catch (error) {
    const isRefusal = error instanceof ElfError || (error instanceof Fault && error.code === "bad-input");
    if (!isRefusal) throw error;
    if (!/^[\x20-\x7e]{8,200}$/.test(error.message))
      throw new Error(`no clear line: ${JSON.stringify(error.message)}`, { cause: error });
    return "refused";
  }
}
