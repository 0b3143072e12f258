import { readFileSync, statSync } from "node:fs";

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
  let exports: Exports | undefined;
  return (symbol) => {
    if (path === undefined || !/^\w+$/.test(symbol)) return undefined;
    exports ??= readExports(path);
    const line = exports.lines.get(symbol);
    return line === undefined ? undefined : readExport(exports.text, line);
  };
}

interface Exports {
  readonly text: string;
  /** Where each symbol's line begins. */
  readonly lines: ReadonlyMap<string, number>;
}

/** The file that was read last, by path and date: an editor asks again at every change. */
let lastRead: { readonly state: string; readonly exports: Exports } | undefined;

function readExports(path: string): Exports {
  const { mtimeMs, size } = statSync(path);
  const state = `${path} ${mtimeMs} ${size}`;
  if (lastRead?.state !== state) {
    const text = readFileSync(path, "utf8");
    lastRead = { state, exports: { text, lines: linesBySymbol(text) } };
  }
  return lastRead.exports;
}

function linesBySymbol(text: string): Map<string, number> {
  const lines = new Map<string, number>();
  for (let start = 0; start < text.length; ) {
    const end = text.indexOf("\n", start);
    const name = text.indexOf("\t", start) + 1;
    const behind = text.indexOf("\t", name);
    if (name > 0 && behind !== -1 && (end === -1 || behind < end)) lines.set(text.slice(name, behind), start);
    if (end === -1) break;
    start = end + 1;
  }
  return lines;
}

/**
 * Lines are `crc symbol module type namespace`, divided by tabs; kernels 5.4 to 5.6 had the namespace after the symbol,
 * older ones had none (`write_dump` in kernel `scripts/mod/modpost.c`).
 * @param start where the line begins
 */
function readExport(text: string, start: number): Export {
  const end = text.indexOf("\n", start);
  const [, , third = "", fourth = "", fifth = ""] = text
    .slice(start, end === -1 ? undefined : end)
    .split("\t");
  const [path, namespace] = fourth.startsWith("EXPORT_") ? [third, fifth] : [fourth, third];
  const module = path.slice(path.lastIndexOf("/") + 1).replace(/\.ko$/, "");
  return { module: module.replaceAll("-", "_"), namespace };
}

/** What the text of a `Module.symvers` says of one symbol. */
export function findExport(text: string, symbol: string): Export | undefined {
  const line = linesBySymbol(text).get(symbol);
  return line === undefined ? undefined : readExport(text, line);
}
