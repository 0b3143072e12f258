import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { checkpoint, type Work } from "../host/work.js";

/** What tells one state of a file from another, by the file's path relative to the tree's root. */
export type FilePrints = ReadonlyMap<string, string>;

/**
 * Takes the prints of all files of a profile's source, once: they are kept beside the source, which never changes.
 * @param source a profile's source
 */
export async function sourcePrints(work: Work, source: string): Promise<FilePrints> {
  const path = printsFile(source);
  const kept = await readFile(path, "utf8").catch(() => undefined);
  if (kept !== undefined) return new Map(JSON.parse(kept));
  work.progress(`reading ${source}`);
  const prints = await takePrints(work, source, "");
  await writeFile(`${path}.new`, JSON.stringify([...prints]));
  await rename(`${path}.new`, path);
  return prints;
}

/**
 * Takes the prints of what is at or below `path`; none when there is nothing. Symbolic links are not followed.
 * @param path relative to `root`; empty for all
 */
export async function takePrints(work: Work, root: string, path: string): Promise<FilePrints> {
  const prints = new Map<string, string>();
  const folders: string[] = [];
  const take = (name: string) => {
    const at = join(root, name);
    const entry = lstatSync(at, { throwIfNoEntry: false });
    if (entry?.isDirectory()) folders.push(name);
    else if (entry?.isSymbolicLink()) prints.set(name, `link ${readlinkSync(at)}`);
    else if (entry?.isFile()) {
      const hash = createHash("sha256").update(readFileSync(at)).digest("base64");
      prints.set(name, `${entry.mode & 0o100 ? "program" : "file"} ${hash}`);
    }
  };
  take(path);
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    // Reading at once is several times as fast; a pause between folders keeps us answering.
    await setImmediate();
    checkpoint(work);
    for (const name of readdirSync(join(root, folder))) take(folder === "" ? name : `${folder}/${name}`);
  }
  return prints;
}

/** Where {@link sourcePrints} keeps them. */
export const printsFile = (source: string) => `${source}.prints`;
