import { Option } from "commander";

/** `--test`, which may be given several times. */
export function testOption(): Option {
  return new Option("--test <file>", "script that passes only with the patch; may be repeated")
    .argParser((file: string, before: readonly string[]) => [...before, file])
    .default([], "");
}
