import { setImmediate } from "node:timers/promises";
import { checkpoint, type Work } from "@kernel-hotpatch/kernel/host/work";

/** More than there are processors, so that none has to wait. */
const AT_A_TIME = 8;

/**
 * Does something with every item, several at a time. Between two items the event loop turns: signals arrive, and the
 * native engine's trees are given back.
 * @throws Fault `interrupted`, and whatever `act` throws
 */
export async function severalAtATime<Item>(
  work: Pick<Work, "signal">,
  items: Iterable<Item>,
  act: (item: Item) => Promise<void>,
): Promise<void> {
  const left = items[Symbol.iterator]();
  const goOn = async () => {
    for (let next = left.next(); !next.done; next = left.next()) {
      checkpoint(work);
      await act(next.value);
      await setImmediate();
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, goOn));
}
