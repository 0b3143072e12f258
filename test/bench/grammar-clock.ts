/** Seconds by the wall's clock, and seconds of the processor that this process used meanwhile. */
export interface Spent {
  readonly seconds: number;
  readonly processor: number;
}

/** @returns what has been spent since, whenever it is called */
export function startClock(): () => Spent {
  const start = performance.now();
  const usage = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(usage);
    return { seconds: (performance.now() - start) / 1000, processor: (user + system) / 1e6 };
  };
}
