import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { Fault } from "../host/fault.js";

/** A shell script for the guest that tells new behaviour from old; its format is told in kernel/examples/README.md. */
export interface SandboxTest {
  /** Of letters, digits, `.`, `_` and `-`. */
  readonly name: string;
  readonly script: string;
  /**
   * `behaviour`: passes with the patch and fails without it.
   * `smoke`: passes always; something that the patch must not break.
   */
  readonly kind: "behaviour" | "smoke";
  /** The kernel's own modules that must be loaded, by name. */
  readonly modules: readonly string[];
  /** A fresh file system image for each run of the test. */
  readonly disk?: TestDisk;
  /** Seconds the test may take. */
  readonly timeout: number;
}

export interface TestDisk {
  readonly type: "ext2" | "ext3" | "ext4";
  /** MiB. */
  readonly size: number;
  /** Options for mkfs, each with its value. */
  readonly options: readonly string[];
}

/**
 * @param path a script; the test is named after it, without its ending (`.test.sh` or `.sh`)
 * @throws Fault `bad-input` when it cannot be read or declares something unknown
 */
export async function readTest(path: string): Promise<SandboxTest> {
  const script = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new Fault("bad-input", `cannot read the test ${path}: ${cause.message}`, { cause });
  });
  return parseTest(basename(path).replace(/(\.test)?\.[^.]*$/, ""), script);
}

/**
 * Reads what a test declares in the comment at its top, in lines `# key: value`.
 * @throws Fault `bad-input` for an unknown key or value
 */
export function parseTest(name: string, script: string): SandboxTest {
  if (!/^[\w.-]+$/.test(name) || name.startsWith(".")) {
    throw new Fault("bad-input", `'${name}' is no name for a test`, {
      remedy: "use letters, digits, '.', '_' and '-'",
    });
  }
  let declared: Declared = { kind: "behaviour", modules: [], timeout: 30 };
  for (const [key, value] of declarations(script)) {
    const parsed = KEYS[key]?.(value);
    if (parsed === undefined) {
      throw new Fault("bad-input", `test ${name}: cannot use '# ${key}: ${value}'`, {
        remedy: `a test may declare: ${Object.keys(KEYS).join(", ")}; see kernel/examples/README.md`,
      });
    }
    declared = { ...declared, ...parsed };
  }
  return { name, script, ...declared };
}

type Declared = Omit<SandboxTest, "name" | "script">;

const MKFS_OPTIONS = new Set(["-b", "-C", "-G", "-g", "-I", "-i", "-m", "-N", "-O"]);

/** Each key's reader; undefined when the value makes no sense. */
const KEYS: Readonly<Record<string, (value: string) => Partial<Declared> | undefined>> = {
  kind: (value) => (value === "behaviour" || value === "smoke" ? { kind: value } : undefined),
  modules: (value) => {
    const modules = value.split(/\s+/);
    return modules.every((module) => /^[\w-]+$/.test(module)) ? { modules } : undefined;
  },
  timeout: (value) => (/^[1-9]\d{0,2}$/.test(value) ? { timeout: Number(value) } : undefined),
  disk: (value) => {
    const match = /^(ext[234]) ([1-9]\d{0,2})M((?: -[A-Za-z] [\w,^=]+)*)$/.exec(value);
    const [, type, size, rest = ""] = match ?? [];
    const options = rest.split(" ").filter((word) => word !== "");
    if (type !== "ext2" && type !== "ext3" && type !== "ext4") return undefined;
    if (!options.every((word, index) => index % 2 === 1 || MKFS_OPTIONS.has(word))) return undefined;
    return { disk: { type, size: Number(size), options } };
  },
};

function declarations(script: string): [key: string, value: string][] {
  const lines = script.split("\n");
  const end = lines.findIndex((line) => !line.startsWith("#"));
  return lines.slice(0, end === -1 ? undefined : end).flatMap((line) => {
    const [, key, value] = /^# ([a-z-]+): +(.*\S)\s*$/.exec(line) ?? [];
    return key !== undefined && value !== undefined ? [[key, value]] : [];
  });
}
