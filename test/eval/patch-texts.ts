import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { FileChange } from "@kernel-hotpatch/kernel/build/patch-files";
import { run } from "@kernel-hotpatch/kernel/host/run";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import type { Case } from "./cases.js";

/**
 * Makes files one patch.
 * @param folder empty, for both versions of each
 */
export async function patchOf(work: Work, files: readonly FileChange[], folder: string): Promise<Buffer> {
  for (const side of ["a", "b"]) await mkdir(join(folder, side), { recursive: true });
  for (const file of files) await writeSides(file, folder);
  return await gitDiff(work, folder, [], ["a", "b"]);
}

/**
 * Makes a case a patch that `git apply` and `hotpatch` take, byte for byte.
 * @param folder for both versions of the file
 * @param options of `git diff`
 */
export async function patchText(
  work: Work,
  { path, before, after }: Pick<Case, "path" | "before" | "after">,
  folder: string,
  options: readonly string[] = [],
): Promise<Buffer> {
  await writeSides({ path, before, after }, folder);
  return await gitDiff(work, folder, options, [`a/${path}`, `b/${path}`]);
}

async function writeSides({ path, before, after }: FileChange, folder: string): Promise<void> {
  for (const [side, content] of Object.entries({ a: before, b: after })) {
    if (content === undefined) continue;
    await mkdir(join(folder, side, dirname(path)), { recursive: true });
    await writeFile(join(folder, side, path), content);
  }
}

async function gitDiff(
  work: Work,
  folder: string,
  options: readonly string[],
  sides: readonly [string, string],
): Promise<Buffer> {
  const [output, attributes] = [join(folder, "patch"), join(folder, "attributes")];
  // Otherwise labels look like the beginnings of functions.
  await writeFile(attributes, "*.c diff=cpp\n");
  // Status 1 says that they differ.
  await run(
    work,
    [
      "git",
      "-c",
      `core.attributesFile=${attributes}`,
      "diff",
      "--no-index",
      "--no-prefix",
      `--output=${output}`,
      ...options,
      ...sides,
    ],
    { cwd: folder, env: { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" } },
  );
  return await readFile(output);
}
