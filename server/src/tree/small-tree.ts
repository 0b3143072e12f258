import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/**
 * For tests: a folder that passes for a kernel tree, with the files given.
 * @param files text by path
 * @returns its path; the caller removes it
 */
export async function smallTree(files: Readonly<Record<string, string>>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "small-tree-"));
  const all = {
    Makefile: "VERSION = 6\nPATCHLEVEL = 1\n",
    Kbuild: "obj-y += kernel/\nobj-y += arch/$(SRCARCH)/\nobj-y += drivers/\nobj-y += $(ARCH_LIB)\n",
    MAINTAINERS: "",
    ...files,
  };
  for (const [path, text] of Object.entries(all)) {
    await mkdir(join(root, dirname(path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return root;
}
