import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { gunzipSync } from "node:zlib";
import type { ElfObject } from "../elf/object.js";
import { filter } from "../host/filter.js";
import type { Work } from "../host/work.js";

/** The name under which a module is known once loaded: its file's, without `.ko` and how it was compressed. */
export function moduleName(path: string): string {
  return canonicalModuleName(basename(path).replace(/\.ko(\.\w+)?$/, ""));
}

/** The kernel takes `-` and `_` in module names for the same (kernel/module/main.c, `parameqn`). */
export function canonicalModuleName(name: string): string {
  return name.replaceAll("-", "_");
}

/**
 * @param path of a module as distributions install it: plain, or compressed with xz, zstd or gzip
 * @throws Fault as `filter`
 */
export async function readModuleFile(work: Pick<Work, "signal">, path: string): Promise<Uint8Array> {
  const content = await readFile(path);
  if (path.endsWith(".xz")) return filter(work, ["xz", "-dc"], content);
  if (path.endsWith(".zst")) return filter(work, ["zstd", "-dc"], content);
  return path.endsWith(".gz") ? gunzipSync(content) : content;
}

/** `.modinfo`: strings `key=value` with a null byte behind each (include/linux/moduleparam.h); of equal keys the last. */
export function moduleInformation(module: ElfObject): Map<string, string> {
  const data = module.sections.find(({ name }) => name === ".modinfo")?.data ?? new Uint8Array(0);
  const fields = new Map<string, string>();
  for (const field of new TextDecoder().decode(data).split("\0")) {
    const at = field.indexOf("=");
    if (at > 0) fields.set(field.slice(0, at), field.slice(at + 1));
  }
  return fields;
}
