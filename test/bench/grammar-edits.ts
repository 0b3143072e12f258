import { setImmediate } from "node:timers/promises";
import { editBetween } from "@kernel-hotpatch/server/syntax/edit";
import type { Engine, SyntaxTree } from "@kernel-hotpatch/server/syntax/tree";
import { startClock } from "./grammar-clock.js";

/** Milliseconds of one re-parse. */
export interface Keystroke {
  readonly wall: number;
  readonly processor: number;
}

/**
 * Milliseconds to parse a text again after each of `count` keystrokes, half of them typed at places spread over it and
 * half taken back.
 */
export async function keystrokes(engine: Engine, text: string, count: number): Promise<Keystroke[]> {
  const spent: Keystroke[] = [];
  let tree = engine.parse(text);
  const retype = (before: string, after: string): SyntaxTree => {
    const edit = editBetween(before, after);
    if (!edit) return tree;
    const stop = startClock();
    tree.edit(edit);
    const next = engine.parse(after, tree);
    const { seconds, processor } = stop();
    spent.push({ wall: seconds * 1000, processor: processor * 1000 });
    tree.free();
    return next;
  };
  for (let round = 0; round < count / 2; round++) {
    const at = Math.floor((text.length * ((round % 250) + 0.5)) / 250);
    const typed = `${text.slice(0, at)}x${text.slice(at)}`;
    tree = retype(text, typed);
    tree = retype(typed, text);
    // An editor is idle between keystrokes.
    await setImmediate();
  }
  tree.free();
  return spent;
}

/** The value that `share` of the numbers do not exceed. */
export function percentile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
