import type { Review } from "../review/review.js";

/** How many of the functions to be replaced are in the kernel what their source compiles to, in one line. */
export function runPreStatement(functions: NonNullable<Review["runPre"]>): string {
  const count = (outcome: string) => functions.filter((match) => match.outcome === outcome).length;
  const rest = [
    { words: "differ", number: count("mismatch") },
    { words: "could not be compared", number: count("unknown") },
  ].filter(({ number }) => number > 0);
  const others = rest.map(({ words, number }) => `${number} ${words}`).join(", ");
  return `run-pre: ${count("matched")} of ${functions.length} functions match the image${others && ` (${others})`}`;
}
