import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run } from "@kernel-hotpatch/kernel/host/run";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import type { Case } from "./cases.js";

/** Makes files one patch. @param folder for both versions of each */
export async function patchOf(
  work: Work,
  files: readonly Pick<Case, "path" | "before" | "after">[],
  folder: string,
): Promise<Buffer> {
  const texts: Buffer[] = [];
  for (const file of files) texts.push(await patchText(work, file, folder));
  return Buffer.concat(texts);
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
  for (const [side, content] of Object.entries({ a: before, b: after })) {
    await mkdir(join(folder, side, dirname(path)), { recursive: true });
    await writeFile(join(folder, side, path), content);
  }
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
      `a/${path}`,
      `b/${path}`,
    ],
    { cwd: folder, env: { GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" } },
  );
  return await readFile(output);
}
