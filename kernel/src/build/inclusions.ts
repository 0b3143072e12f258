import { existsSync } from "node:fs";
import { basename, dirname, join, normalize, relative } from "node:path";
import type { Work } from "../host/work.js";
import type { KernelProfile } from "../profile/profile.js";
import { SOURCE_ARCH } from "./kbuild.js";
import { keptAnswer } from "./kept-answer.js";
import { searchSource } from "./source-search.js";

/** One `#include` line somewhere in the tree, or a macro for one. */
interface Inclusion {
  readonly includer: string;
  /** As written between the quotes or angle brackets. */
  readonly text: string;
  readonly quoted: boolean;
}

/** Headers that every compile is given by `-include` (`USERINCLUDE` in the top Makefile, `scripts/Makefile.lib`). */
const EVERYWHERE = new Set(
  ["compiler-version.h", "kconfig.h", "compiler_types.h"].map((name) => `include/linux/${name}`),
);
/** Beyond so many files nobody asks any more which of them are built. */
const INCLUDER_LIMIT = 1000;

/** How many they are, in words. */
type Many = `more than ${number} files` | "every unit";

/** Finds what includes any of some files, over any number of headers and of `.c` files that others include. */
export type FindIncluders = (paths: readonly string[]) => Promise<string[] | Many>;

/**
 * Includes are found in the text, regardless of `#if`, and where it is unclear which file of that name is meant,
 * the one asked for is assumed: too much is found rather than too little, and the compiler's own list of what it read
 * decides afterwards.
 * @returns a function from paths to the `.c` and `.S` files that include them, those among them that are such files too
 */
export async function includerSearch(work: Work, profile: KernelProfile): Promise<FindIncluders> {
  const sources = await keptAnswer(work, profile, "inclusions-of-sources.json", () =>
    search(work, profile, String.raw`\.c`),
  );
  return async (paths) => {
    const seen = new Set(paths);
    let frontier = [...paths];
    while (frontier.length > 0) {
      const headers = frontier.filter((file) => !file.endsWith(".c"));
      const found = headers.length === 0 ? [] : await search(work, profile, namesPattern(headers));
      const next: string[] = [];
      for (const inclusion of [...found, ...sources]) {
        if (seen.has(inclusion.includer)) continue;
        if (!frontier.some((target) => mayInclude(profile, inclusion, target))) continue;
        seen.add(inclusion.includer);
        next.push(inclusion.includer);
      }
      if ([...next, ...frontier].some((file) => EVERYWHERE.has(file))) return "every unit";
      if (seen.size > INCLUDER_LIMIT) return `more than ${INCLUDER_LIMIT} files`;
      frontier = next;
    }
    return [...seen].filter((file) => /\.[cS]$/.test(file)).sort();
  };
}

/** @param ends regular expression for how what stands between the quotes ends */
async function search(work: Work, profile: KernelProfile, ends: string): Promise<Inclusion[]> {
  // Few lines have that, which is found sooner than a whole directive.
  const options = ["--with-filename", "--no-line-number", "-e", `${ends}[">]`];
  const lines = await searchSource(work, profile, options);
  return lines
    .map((text) => INCLUSION.exec(text))
    .filter((match) => match !== null)
    .map(([, file = "", quote = "", text = ""]) => ({
      includer: file.startsWith(`${profile.build}/`) ? relative(profile.build, file) : file,
      text,
      quoted: quote === '"',
    }));
}

/** `#define NAME "file"` is for an `#include NAME`. */
const INCLUSION = /^([^:]*):\s*#\s*(?:include|define\s+\w+)\s*(["<])([^">]*)[">]/;

function namesPattern(files: readonly string[]): string {
  const names = new Set(files.map((file) => basename(file).replaceAll(".", "\\.")));
  return `[/"<](?:${[...names].join("|")})`;
}

/** Follows the compiler's order of search as far as it is the same for every unit (`LINUXINCLUDE`, top Makefile). */
function mayInclude(profile: KernelProfile, { includer, text, quoted }: Inclusion, target: string): boolean {
  const tail = normalize(text).replace(/^(?:\.\.\/)+/, "");
  if (target !== tail && !target.endsWith(`/${tail}`)) return false;
  const candidates = quoted ? [join(dirname(includer), text)] : [];
  const arch = `arch/${SOURCE_ARCH[profile.arch]}/include`;
  for (const folder of [arch, "include", `${arch}/uapi`, "include/uapi"]) candidates.push(join(folder, text));
  const first = candidates.find((path) => path === target || existsSync(join(profile.source, path)));
  // None: some makefile names another folder by -I.
  return first === undefined || first === target;
}
