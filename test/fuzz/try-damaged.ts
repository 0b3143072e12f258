import { ElfError, readElf } from "@kernel-hotpatch/kernel/elf/read";
import { writeElf } from "@kernel-hotpatch/kernel/elf/write";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { diffObjects, type OpenObject, openObject } from "@kernel-hotpatch/kernel/objdiff/diff-objects";

/** What became of a damaged object. */
export type Verdict = "read" | "refused";

/**
 * Reads a damaged object, all of it, and writes it again.
 * @throws Error when anything but one line of refusal comes of it
 */
export function tryToRead(bytes: Uint8Array): Verdict {
  return outcomeOf(() => {
    writeElf(readElf(bytes));
  });
}

/**
 * Compares a damaged object with the one that it was made from, types and all.
 * @param whole the other object of the pair, undamaged
 * @param isOrig whether the damaged one is the one before the change
 * @throws Error when anything but one line of refusal comes of it
 */
export function tryToCompare(bytes: Uint8Array, whole: OpenObject, isOrig: boolean): Verdict {
  return outcomeOf(() => {
    const damaged = openObject(bytes, "damaged.o");
    const { carried } = isOrig ? diffObjects(damaged, whole) : diffObjects(whole, damaged);
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
    if (!/^[\x20-\x7e]{8,300}$/.test(error.message))
      throw new Error(`no clear line: ${JSON.stringify(error.message)}`, { cause: error });
    return "refused";
  }
}
