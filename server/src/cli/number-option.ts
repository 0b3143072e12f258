import { InvalidArgumentError } from "commander";

/** A reader of option values for commander: whole numbers from 1 to `most`. */
export function wholeNumberTo(most: number): (value: string) => number {
  return (value) => {
    const number = /^\d{1,6}$/.test(value) ? Number(value) : 0;
    if (number < 1 || number > most)
      throw new InvalidArgumentError(`It must be a whole number from 1 to ${most}.`);
    return number;
  };
}
