import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readTest, type SandboxTest } from "@kernel-hotpatch/kernel/sandbox/sandbox-test";
import type { Session } from "./session.js";

/**
 * The tests to run in the guest: those named; else what lies beside the patches as `test.sh` or `*.test.sh`.
 * @param named what `--test` said
 * @param folders where the patches lie
 * @throws Fault `bad-input` for a test that cannot be read or declares something unknown
 */
export async function testsFor(
  session: Session,
  named: readonly string[],
  folders: readonly string[],
): Promise<SandboxTest[]> {
  if (named.length > 0) return Promise.all(named.map(readTest));
  const found = (await Promise.all([...new Set(folders)].map(testsIn))).flat();
  for (const path of found) session.note(`using the test ${path}, which lies beside the patch`);
  return Promise.all(found.map(readTest));
}

async function testsIn(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return names
    .filter((name) => name === "test.sh" || name.endsWith(".test.sh"))
    .sort()
    .map((name) => join(folder, name));
}
