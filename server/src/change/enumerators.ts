import { constantValue } from "./constant.js";
import type { TypeItem } from "./item.js";

/**
 * What the enumerators of an enum stand for: a number, or a text such as `FIRST + 2` where only that is known. Equal texts are
 * equal values.
 */
export function enumeratorValues({ members }: TypeItem): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  const numbers = new Map<string, bigint>();
  // The enumerator before this one: a number if known, else so many behind a text.
  let base: string | undefined;
  let next = 0n;
  for (const { name, tokens, kept } of members) {
    if (kept === "no") continue;
    if (tokens !== "" || name === "") {
      const value = name === "" ? undefined : constantValue(tokens, numbers);
      base = value === undefined ? `( ${tokens} )` : undefined;
      next = value ?? 0n;
    }
    if (name === "") continue;
    values.set(name, base === undefined ? String(next) : `${base} + ${next}`);
    if (base === undefined) numbers.set(name, next);
    next++;
  }
  return values;
}
