import type { Work } from "../host/work.js";

/**
 * Does two things at once. When one fails the other is stopped, and nothing is left running once this returns.
 * @throws what the first of them to fail threw
 */
export async function both<A, B>(
  work: Work,
  first: (work: Work) => Promise<A>,
  second: (work: Work) => Promise<B>,
): Promise<[A, B]> {
  const stop = new AbortController();
  const shared: Work = {
    cache: work.cache,
    signal: AbortSignal.any([work.signal, stop.signal]),
    progress: (step, fraction) => work.progress(step, fraction),
  };
  const failures: unknown[] = [];
  const start = async <T>(task: (work: Work) => Promise<T>): Promise<T> => {
    try {
      return await task(shared);
    } catch (error) {
      failures.push(error);
      stop.abort();
      throw error;
    }
  };
  const [a, b] = await Promise.allSettled([start(first), start(second)]);
  if (a.status === "fulfilled" && b.status === "fulfilled") return [a.value, b.value];
  throw failures[0];
}
