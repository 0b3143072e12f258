import { readFileSync } from "node:fs";

/** What a kernel or one of its modules exports. */
export interface Export {
  /** `vmlinux`, or the name of the module, underscores for hyphens. */
  readonly module: string;
  /** Empty for none. */
  readonly namespace: string;
}

/**
 * Looks symbols up in `Module.symvers`, which is read when the first one is asked for.
 * @param path absent for a tree that was never built: then nothing is known to be exported
 * @throws (on look-up) the system's error when the file cannot be read
 */
export function exportsOf(path: string | undefined): (symbol: string) => Export | undefined {
  let text: string | undefined;
  return (symbol) => {
    if (path === undefined || !/^\w+$/.test(symbol)) return undefined;
    text ??= readFileSync(path, "utf8");
    return findExport(text, symbol);
  };
}

/**
 * Lines are `crc symbol module type namespace`, divided by tabs; kernels 5.4 to 5.6 had the namespace after the symbol,
 * older ones had none (`write_dump` in kernel `scripts/mod/modpost.c`).
 */
export function findExport(text: string, symbol: string): Export | undefined {
  for (let at = text.indexOf(`\t${symbol}\t`); at !== -1; at = text.indexOf(`\t${symbol}\t`, at + 1)) {
    const start = text.lastIndexOf("\n", at) + 1;
    const end = text.indexOf("\n", at);
    const [, name, third = "", fourth = "", fifth = ""] = text
      .slice(start, end === -1 ? undefined : end)
      .split("\t");
    // Modules and namespaces may be called as symbols are.
    if (name !== symbol) continue;
    const [path, namespace] = fourth.startsWith("EXPORT_") ? [third, fifth] : [fourth, third];
    const module = path.slice(path.lastIndexOf("/") + 1).replace(/\.ko$/, "");
    return { module: module.replaceAll("-", "_"), namespace };
  }
  return undefined;
}
