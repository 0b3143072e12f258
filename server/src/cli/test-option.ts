import { Option } from "commander";

/** `--test`, which may be given several times; the value is absent when it never is. */
export function testOption(): Option {
  return new Option("--test <file>", "script that passes only with the patch; may be repeated").argParser(
    (file: string, before: readonly string[] | undefined) => [...(before ?? []), file],
  );
}
