import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { readTest, type SandboxTest } from "@kernel-hotpatch/kernel/sandbox/sandbox-test";
import type { Session } from "./session.js";

/**
 * The tests to run in the guest: those named; else what lies beside the patches as `test.sh` or `*.test.sh`, but for
 * `NAME.test.sh` that belongs to another patch there, `NAME.patch` or `NAME.diff`.
 * @param named what `--test` said
 * @param patches paths of the patches that are files
 * @throws Fault `bad-input` for a test that cannot be read or declares something unknown
 */
export async function testsFor(
  session: Pick<Session, "note">,
  named: readonly string[],
  patches: readonly string[],
): Promise<SandboxTest[]> {
  if (named.length > 0) return Promise.all(named.map(readTest));
  const folders = new Set(patches.map((patch) => dirname(patch)));
  const found = (await Promise.all([...folders].map((folder) => testsIn(folder, patches)))).flat();
  for (const path of found) session.note(`using the test ${path}, which lies beside the patch`);
  return Promise.all(found.map(readTest));
}

async function testsIn(folder: string, patches: readonly string[]): Promise<string[]> {
  const names = await readdir(folder);
  const own = new Set(
    patches.filter((patch) => dirname(patch) === folder).map((patch) => nameOf(basename(patch))),
  );
  const others = new Set(names.map(nameOf).filter((name) => name !== undefined && !own.has(name)));
  return names
    .filter(
      (name) => name === "test.sh" || (name.endsWith(".test.sh") && !others.has(basename(name, ".test.sh"))),
    )
    .sort()
    .map((name) => join(folder, name));
}

/** `NAME` of `NAME.patch` or `NAME.diff`. */
function nameOf(patch: string): string | undefined {
  return /^(.+)\.(?:patch|diff)$/.exec(patch)?.[1];
}
