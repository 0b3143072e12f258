import type { Review } from "../review/review.js";
import { printable } from "./printable.js";

/** The first `limit` lines, printable, without empty ones at the ends; a last line says how many were left out. */
export function excerpt(lines: readonly string[], limit: number): string[] {
  const text = lines.join("\n").replace(/^\n+|\s+$/g, "");
  if (text === "") return [];
  const all = printable(text).split("\n");
  if (all.length <= limit) return all;
  return [...all.slice(0, limit), `… ${all.length - limit} more lines`];
}

/**
 * What of a sandbox step's output a person wants to see: what a test printed, and why a step failed.
 * @returns printable lines
 */
export function stepExcerpt(step: NonNullable<Review["sandbox"]>["steps"][number]): string[] {
  return step.name.startsWith("test ") || step.outcome === "failed" ? excerpt(step.output, 8) : [];
}
