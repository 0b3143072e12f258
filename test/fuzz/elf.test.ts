import { openObject } from "@kernel-hotpatch/kernel/objdiff/diff-objects";
import { describe, expect, test } from "vitest";
import { type Damaged, listedDamage, randomDamage } from "./damage.js";
import { COMPILERS, compileSmallPair } from "./small-objects.js";
import { tryToCompare, tryToRead, type Verdict } from "./try-damaged.js";

/** Every so many of the listed cases; all of them, and a million more: `npm run fuzz -- elf`. */
const EACH = 53;
const RANDOM = 600;

describe.each(COMPILERS)("damaged objects of %s are read or refused in one line", (...compiler) => {
  const { orig, patched } = compileSmallPair(compiler);
  const whole = openObject(orig, "orig.o");
  const attempt = ({ what, bytes }: Damaged, isOrig: boolean): Verdict => {
    try {
      tryToCompare(bytes, whole, isOrig);
      return tryToRead(bytes);
    } catch (error) {
      throw new Error(what, { cause: error });
    }
  };

  test("each field and each length in turn", () => {
    const verdicts = { read: 0, refused: 0 };
    let number = 0;
    for (const damaged of listedDamage(patched))
      if (number++ % EACH === 0) verdicts[attempt(damaged, number % 2 === 0)]++;
    // Neither is everything refused, nor is anything taken for whole.
    expect(verdicts.read).toBeGreaterThan(50);
    expect(verdicts.refused).toBeGreaterThan(patched.length / EACH);
  });

  test("several places at random", () => {
    const damageAtRandom = randomDamage(patched);
    const verdicts = { read: 0, refused: 0 };
    for (let seed = 1; seed <= RANDOM; seed++) verdicts[attempt(damageAtRandom(seed), seed % 2 === 0)]++;
    expect(Math.min(verdicts.read, verdicts.refused)).toBeGreaterThan(50);
  });
});
