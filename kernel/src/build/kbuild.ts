import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { runConfined } from "../host/confined.js";
import type { Work } from "../host/work.js";
import { type Arch, foldersOf, type KernelProfile } from "../profile/profile.js";
import { keptAnswer } from "./kept-answer.js";

/** What the makefile of one folder makes of the configuration. Objects are paths from the root of the build. */
export interface FolderObjects {
  readonly builtIn: ReadonlySet<string>;
  readonly module: ReadonlySet<string>;
  /** Members of `lib.a` (`lib-y`). */
  readonly library: ReadonlySet<string>;
  /** Folders below that are entered. */
  readonly folders: ReadonlySet<string>;
}

/** The name of an architecture's folder under `arch/` (`SRCARCH`, kernel `scripts/subarch.include` and `Makefile`). */
export const SOURCE_ARCH: Readonly<Record<Arch, string>> = { x86_64: "x86", arm64: "arm64" };

/**
 * Has make evaluate the makefile of one folder, with Kbuild's own rules (`scripts/Makefile.lib`), without building.
 * @param folder relative to the root of the tree
 * @returns nothing when the folder has no makefile or make cannot read it
 */
export async function objectsOfFolder(
  work: Pick<Work, "signal" | "cache" | "unconfined">,
  profile: KernelProfile,
  folder: string,
): Promise<FolderObjects | undefined> {
  const makefile = makefileOf(profile, folder);
  if (makefile === undefined) return undefined;
  const name = join("makefiles", folder, "objects.json");
  const lists = await keptAnswer(work, profile, name, () => listsOf(work, profile, folder, makefile));
  if (lists === null) return undefined;
  const { builtIn, module, library, folders } = lists;
  return {
    builtIn: new Set(builtIn),
    module: new Set(module),
    library: new Set(library),
    folders: new Set(folders),
  };
}

type Lists = Readonly<Record<keyof FolderObjects, readonly string[]>>;

/** @returns null when make cannot read the makefile */
async function listsOf(
  work: Pick<Work, "signal" | "unconfined">,
  profile: KernelProfile,
  folder: string,
  makefile: string,
): Promise<Lists | null> {
  const arch = SOURCE_ARCH[profile.arch];
  const text = `
srctree := ${profile.source}
objtree := .
SRCARCH := ${arch}
ARCH := ${arch}
BITS := 64
CC := ${profile.compiler.command}
export srctree objtree SRCARCH BITS
VPATH := $(srctree)
obj := ${folder}
src := ${folder}
include include/config/auto.conf
include $(srctree)/scripts/Kbuild.include
include ${makefile}
include $(srctree)/scripts/Makefile.lib
$(info builtIn $(real-obj-y))
$(info module $(real-obj-m))
$(info library $(lib-y))
$(info folders $(subdir-ym))
.PHONY: nothing
nothing: ;
`;
  const { status, stdout } = await runConfined(
    work,
    // Given as an argument: of standard input, make keeps a copy in a file.
    ["make", "-rR", "--silent", "-I", profile.source, "--eval", text, "-f", "/dev/null", "nothing"],
    { readable: foldersOf(profile) },
    { cwd: profile.build, deadline: 60 },
  );
  if (status !== 0) return null;
  const words = (key: keyof FolderObjects) =>
    new RegExp(`^${key} (.*)$`, "m")
      .exec(stdout)?.[1]
      ?.split(" ")
      .filter((word) => word !== "") ?? [];
  return {
    builtIn: words("builtIn"),
    module: words("module"),
    library: words("library"),
    folders: words("folders"),
  };
}

/**
 * Names the configuration option that keeps a unit out of the build, as far as the makefiles' text tells.
 * @param unit path of a `.c` file
 * @returns such as `CONFIG_ZONEFS_FS`
 */
export async function optionThatIsOff(profile: KernelProfile, unit: string): Promise<string | undefined> {
  const configuration = await readFile(join(profile.build, ".config"), "utf8");
  const isOff = (option: string) => !new RegExp(`^${option}=[ym]$`, "m").test(configuration);
  let target = basename(unit).replace(/\.c$/, ".o");
  for (let folder = dirname(unit); folder !== "."; folder = dirname(folder)) {
    const makefile = makefileOf(profile, folder);
    if (makefile === undefined) return undefined;
    const lines = (await readFile(makefile, "utf8")).replaceAll("\\\n", " ").split("\n");
    const options = optionsFor(lines, target, 4);
    const off = options.find(isOff);
    if (off !== undefined) return off;
    target = `${basename(folder)}/`;
  }
  return undefined;
}

/** Options on the lines that list the target, and on those that list the composite object it is part of. */
function optionsFor(lines: readonly string[], target: string, depth: number): string[] {
  if (depth === 0) return [];
  return lines.flatMap((line) => {
    const [, list = "", members = ""] = /^\s*([\w.$()-]+)\s*[+:]?=\s*(.*)$/.exec(line) ?? [];
    if (!members.split(/\s+/).includes(target)) return [];
    const own = /\$\((CONFIG_\w+)\)/.exec(list)?.[1];
    const composite = /^(?!obj-|lib-|core-|drivers-)(.*)-(?:y|objs|\$\(CONFIG_\w+\))$/.exec(list)?.[1];
    return [
      ...(own === undefined ? [] : [own]),
      ...(composite === undefined ? [] : optionsFor(lines, `${composite}.o`, depth - 1)),
    ];
  });
}

/** `Kbuild` goes before `Makefile` (Documentation/kbuild/makefiles.rst, "The kbuild files"). */
function makefileOf(profile: KernelProfile, folder: string): string | undefined {
  return ["Kbuild", "Makefile"].map((name) => join(profile.source, folder, name)).find(existsSync);
}
