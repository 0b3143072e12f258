import { readdir } from "node:fs/promises";
import { join } from "node:path";

/** Every file under some folders of `root` whose name matches, sorted. */
export async function filesUnder(root: string, folders: readonly string[], name: RegExp): Promise<string[]> {
  const lists = await Promise.all(
    folders.map(async (folder) => {
      const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
      return entries
        .filter((entry) => entry.isFile() && name.test(entry.name))
        .map((entry) => join(entry.parentPath, entry.name));
    }),
  );
  return lists.flat().sort();
}
