import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { checkFiles } from "../review/check-files.js";
import type { Finding } from "../review/finding.js";
import type { Engine } from "../syntax/tree.js";
import { openTree } from "../tree/open-tree.js";
import type { RuleCase } from "./case-file.js";

/**
 * Puts a case to the source witness: lays out its tree in a folder of its own and checks its change.
 * @param room where folders may be made; left for the caller to remove
 * @returns the findings of all rules
 */
export async function judgeCase(engine: Engine, room: string, one: RuleCase): Promise<Finding[]> {
  const root = await mkdtemp(join(room, "tree-"));
  const changed = one.files.filter(({ before, after }) => before !== after);
  const given = new Set(one.files.map(({ path }) => path));
  const files = new Map(Object.entries(SURROUNDINGS).filter(([path]) => !given.has(path)));
  for (const { path, before } of one.files) if (before !== undefined) files.set(path, before);
  for (const { path } of one.files) {
    const makefile = join(dirname(path), "Makefile");
    if (!path.endsWith(".c") || given.has(makefile)) continue;
    files.set(
      makefile,
      `${files.get(makefile) ?? ""}obj-y += ${path.replace(/^.*\//, "").replace(/c$/, "o")}\n`,
    );
    for (let folder = dirname(path); folder.includes("/"); folder = dirname(folder)) {
      const above = join(dirname(folder), "Makefile");
      if (!given.has(above))
        files.set(above, `${files.get(above) ?? ""}obj-y += ${folder.replace(/^.*\//, "")}/\n`);
    }
  }
  for (const [path, text] of files) {
    await mkdir(join(root, dirname(path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  const work = {
    signal: new AbortController().signal,
    cache: join(root, ".cache"),
    progress: () => undefined,
  };
  const bytes = (text: string | undefined) => (text === undefined ? undefined : Buffer.from(text));
  const changes = changed.map(({ path, before, after }) => {
    const [old, now] = [bytes(before), bytes(after)];
    return { path, ...(old && { before: old }), ...(now && { after: now }) };
  });
  return await checkFiles(work, engine, await openTree(root, { id: "tree:~/linux" }), changes);
}

/** The least that makes a folder a kernel tree. */
const SURROUNDINGS: Readonly<Record<string, string>> = {
  Makefile: "VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 0\nEXTRAVERSION =\nNAME = Cases\n",
  Kbuild:
    "obj-y += init/ kernel/ mm/ fs/ ipc/ security/ crypto/ block/ io_uring/ lib/ drivers/ sound/ net/ virt/\n",
  MAINTAINERS: "\n",
  ".config": "CONFIG_X86_64=y\nCONFIG_64BIT=y\nCONFIG_SMP=y\nCONFIG_MODULES=y\nCONFIG_LIVEPATCH=y\n",
};
