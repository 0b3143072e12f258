import { existsSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { SOURCE_ARCH } from "@kernel-hotpatch/kernel/build/kbuild";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import { remembered } from "./remembered.js";
import { searchTree } from "./search.js";
import type { SourceTree } from "./source-tree.js";

/** Who includes what, over the whole tree. */
export interface Inclusions {
  /** Files that include a file directly, sorted; where it is unclear which file is meant, too many rather than too few. */
  includers(path: string): readonly string[];
}

/**
 * Reads every `#include` line of the tree, regardless of `#if`.
 * @throws Fault as `searchTree`
 */
export async function readInclusions(work: Pick<Work, "signal">, tree: SourceTree): Promise<Inclusions> {
  const byName = new Map<string, Inclusion[]>();
  const pattern = String.raw`^[ \t]*#[ \t]*include[ \t]*["<][^">]+`;
  await searchTree(
    work,
    tree,
    ["--no-line-number", "--no-unicode", `--regexp=${pattern}`],
    "",
    (file, lines) => {
      for (const line of lines) {
        const at = line.search(/["<]/);
        const text = line.slice(at + 1);
        const name = text.slice(text.lastIndexOf("/") + 1);
        const inclusion = { includer: file, text, quoted: line[at] === '"' };
        const known = byName.get(name);
        if (known) known.push(inclusion);
        else byName.set(name, [inclusion]);
      }
    },
  );
  const resolve = resolver(tree);
  const answers = new Map<string, readonly string[]>();
  return {
    includers(path) {
      const known = answers.get(path);
      if (known) return known;
      const found = (byName.get(basename(path)) ?? []).filter((inclusion) => means(resolve, inclusion, path));
      const includers = [...new Set(found.map(({ includer }) => includer))].sort();
      answers.set(path, includers);
      return includers;
    },
  };
}

/** One `#include` line. */
interface Inclusion {
  readonly includer: string;
  /** As written between the quotes or angle brackets. */
  readonly text: string;
  readonly quoted: boolean;
}

function means(
  resolve: (inclusion: Inclusion) => string | undefined,
  inclusion: Inclusion,
  path: string,
): boolean {
  const resolved = resolve(inclusion);
  if (resolved !== undefined) return resolved === path;
  // Some makefile names another folder by -I: any file of that name may be meant.
  const tail = normalize(inclusion.text).replace(/^(?:\.\.\/)+/, "");
  return path === tail || path.endsWith(`/${tail}`);
}

/** Follows the compiler's order of search as far as it is the same for every unit (`LINUXINCLUDE`, top Makefile). */
function resolver(tree: SourceTree): (inclusion: Inclusion) => string | undefined {
  const arch = `arch/${SOURCE_ARCH[tree.arch]}/include`;
  const folders = [arch, "include", `${arch}/uapi`, "include/uapi"];
  const exists = remembered((path: string) => existsSync(join(tree.root, path)));
  const common = remembered((text: string) =>
    // The build makes asm/x.h of asm-generic/x.h where the architecture has none (scripts/Makefile.asm-generic).
    [text, text.replace(/^(uapi\/)?asm\//, "$1asm-generic/")]
      .flatMap((name) => folders.map((folder) => normalize(join(folder, name))))
      .find(exists),
  );
  return ({ includer, text, quoted }) => {
    const beside = normalize(join(dirname(includer), text));
    return quoted && !beside.startsWith("..") && exists(beside) ? beside : common(text);
  };
}
