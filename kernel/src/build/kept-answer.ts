import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { Work } from "../host/work.js";
import type { KernelProfile } from "../profile/profile.js";
import { buildCache, writeAside } from "./originals.js";

/**
 * What takes a while to find out from a profile's source and configuration. In our cache these never change, so that the
 * answer is kept; of a person's own tree it is found out each time.
 * @param name of the file that keeps it, relative to the profile's build cache
 * @param find gives a value that survives JSON; null, which is not kept, when it cannot be found out
 */
export async function keptAnswer<Value>(
  work: Pick<Work, "cache">,
  profile: KernelProfile,
  name: string,
  find: () => Promise<Value>,
): Promise<Value> {
  if ([profile.source, profile.build].some((folder) => relative(work.cache, folder).startsWith("..")))
    return await find();
  const kept = join(await buildCache(work, profile), name);
  if (existsSync(kept)) return JSON.parse(await readFile(kept, "utf8")) as Value;
  const found = await find();
  if (found === null) return found;
  await mkdir(dirname(kept), { recursive: true });
  await writeAside(kept, JSON.stringify(found));
  return found;
}
