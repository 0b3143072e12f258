import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { SOURCE_ARCH } from "@kernel-hotpatch/kernel/build/kbuild";
import { type Assignment, type Makefile, readMakefile, UNKNOWN, wordsIn } from "./makefile.js";
import { remembered } from "./remembered.js";
import type { SourceTree } from "./source-tree.js";
import type { UnitBuild } from "./tree-facts.js";

/**
 * Tells from the makefiles' text alone whether and into what a `.c` file is built: no make is run. Each makefile is read
 * when it is first needed. What cannot be followed is `unknown`.
 * @param tree its makefiles and configuration
 * @returns a function of a path, relative to the tree's root; it throws nothing
 */
export function unitBuilds(tree: SourceTree): (path: string) => UnitBuild {
  const at = remembered((path: string) => readFolder(tree, path));
  const folders: Folders = {
    at,
    entry: remembered((path: string) => entryOf(folders, path)),
    below: remembered((path: string) => subfolders(tree, path)),
  };
  const arch = SOURCE_ARCH[tree.arch];
  return remembered((path: string) => buildOf(folders, arch, path));
}

/** What the makefile of one folder lists. Objects and folders are paths from the root of the tree. */
interface Folder {
  readonly path: string;
  readonly file: string;
  readonly makefile: Makefile;
  readonly builtIn: ReadonlySet<string>;
  /** By object, the module it becomes part of. */
  readonly modules: ReadonlyMap<string, string>;
  readonly library: ReadonlySet<string>;
  /** Folders entered with `obj-y` and `lib-y`, and those that only modules are looked for in. */
  readonly entered: ReadonlyMap<string, "built-in" | "module">;
  /** Assignments by the objects and folders that they name, whatever the configuration makes of them. */
  mentions(): ReadonlyMap<string, readonly Assignment[]>;
  /** Whether the lists are all there is. */
  readonly isWhole: boolean;
}

interface Folders {
  at(path: string): Folder | undefined;
  /** Whether Kbuild comes to a folder. */
  entry(path: string): { readonly kind: Entry; readonly option?: string };
  /** Folders directly below one. */
  below(path: string): readonly string[];
}
/** `unlisted`: no makefile above speaks of it. */
type Entry = "built-in" | "module" | "off" | "unlisted" | "unknown";

/** Folders whose C is never part of a kernel of this architecture (top Makefile: `build-dir`, `scripts_basic`). */
const NO_KERNEL = /^(?:Documentation|tools|scripts|LICENSES)\//;

function buildOf(folders: Folders, arch: string, path: string): UnitBuild {
  const otherArch = /^arch\/([^/]+)\//.exec(path)?.[1];
  if (NO_KERNEL.test(path) || (otherArch !== undefined && otherArch !== arch)) return { into: "nothing" };
  const object = path.replace(/\.c$/, ".o");
  const own = dirname(path);
  let mentioned: Mention | undefined;
  let isUnclear = false;
  for (const folder of [...foldersAbove(folders, path), ...beside(folders, own)]) {
    const listed = mentionOf(folder, object);
    const entry = folders.entry(folder.path);
    const option = listed?.option === undefined ? {} : { option: listed.option };
    const into = partOf(folder, object);
    if (into !== undefined) {
      if (entry.kind === "unlisted" || entry.kind === "unknown") return { into: "unknown", ...option };
      if (entry.kind === "off" || (entry.kind === "module" && into !== "module"))
        return { into: "nothing", ...option, ...(entry.option !== undefined && { option: entry.option }) };
      const untraced = untracedBy(folders, folder, object);
      return {
        into,
        ...(into === "module" && { module: folder.modules.get(object) ?? "" }),
        ...option,
        ...(untraced !== undefined && { untraced }),
      };
    }
    if (listed) mentioned ??= listed;
    // Only what Kbuild comes to has a say.
    if (entry.kind === "off" || entry.kind === "unlisted") continue;
    if (!folder.isWhole || listed?.how === "other") isUnclear = true;
  }
  const option = mentioned?.option === undefined ? {} : { option: mentioned.option };
  const entry = folders.entry(own);
  if (entry.kind === "off")
    return { into: "nothing", ...option, ...(entry.option !== undefined && { option: entry.option }) };
  if (isUnclear || entry.kind === "unknown") return { into: "unknown", ...option };
  if (mentioned?.how === "list") return { into: "nothing", ...option };
  // A folder that no makefile lists may be part of another's: `include $(DISPLAY_PATH)/Makefile`.
  return { into: entry.kind === "unlisted" ? "unknown" : "nothing", ...option };
}

function partOf(folder: Folder, object: string): "vmlinux" | "module" | "library" | undefined {
  if (folder.builtIn.has(object)) return "vmlinux";
  if (folder.modules.has(object)) return "module";
  return folder.library.has(object) ? "library" : undefined;
}

/** The folder of a file and those above it that have a makefile, nearest first. */
function foldersAbove(folders: Folders, path: string): Folder[] {
  const found: Folder[] = [];
  for (let above = dirname(path); ; above = dirname(above)) {
    const folder = folders.at(above);
    if (folder) found.push(folder);
    if (above === "." || above === "/") return found;
  }
}

/** Folders beside one without a makefile that Kbuild comes to: drivers/gpu/drm/amd/amdgpu lists objects of `../pm`. */
function beside(folders: Folders, path: string): Folder[] {
  if (folders.entry(path).kind !== "unlisted") return [];
  const found: Folder[] = [];
  for (let above = dirname(path); above !== "." && above !== "/"; above = dirname(above)) {
    if (folders.entry(above).kind !== "unlisted") break;
    for (const name of folders.below(above)) {
      const folder = folders.at(name);
      if (folder && folders.entry(name).kind !== "unlisted") found.push(folder);
    }
  }
  return found;
}

function entryOf(folders: Folders, path: string): { kind: Entry; option?: string } {
  if (path === ".") return { kind: "built-in" };
  let unclear = false;
  for (const above of foldersAbove(folders, path)) {
    const how = above.entered.get(path);
    const listed = mentionOf(above, `${path}/`);
    if (how === undefined && listed === undefined) {
      unclear ||= !above.isWhole && folders.entry(above.path).kind !== "unlisted";
      continue;
    }
    if (how === undefined && listed?.how === "other") return { kind: "unknown" };
    if (how === undefined && !above.isWhole) return { kind: "unknown" };
    const option = listed?.option === undefined ? {} : { option: listed.option };
    if (how === undefined) return { kind: "off", ...option };
    const outer = folders.entry(above.path);
    return outer.kind === "built-in" ? { kind: how, ...option } : outer;
  }
  return { kind: unclear ? "unknown" : "unlisted" };
}

/** The lists of Kbuild (Documentation/kbuild/makefiles.rst, "The kbuild files"). */
const LIST = /^(?:obj|lib|core|drivers|libs|net|virt|init|head)-(?:[ym]?|\$.*)$/;
/** What these name is built because of other lists. */
const NO_LIST = /^(?:targets|clean-files|no-clean-files|subdir-|OBJECT_FILES_NON_STANDARD.*|CFLAGS_.*)$/;
const COMPOSITE = /^(.+)-(?:y|m|objs|\$\(CONFIG_\w+\)|)$/;

interface Mention {
  /** `list`: by a list of Kbuild, over composite objects or not; `other`: by another variable. */
  readonly how: "list" | "other";
  readonly option?: string;
}

/** How a makefile's text speaks of an object or, with a slash at the end, a folder. */
function mentionOf(folder: Folder, target: string, depth = 4): Mention | undefined {
  let other: Mention | undefined;
  for (const { variable, options } of folder.mentions().get(target) ?? []) {
    const option = options[0] === undefined ? {} : { option: options[0] };
    if (LIST.test(variable)) return { how: "list", ...option };
    const [, composite] = COMPOSITE.exec(variable) ?? [];
    if (composite !== undefined && depth > 0) {
      const outer = mentionOf(folder, pathIn(folder.path, `${composite}.o`), depth - 1);
      if (outer?.how === "list") return { ...outer, ...option };
    }
    other ??= { how: "other", ...option };
  }
  return other;
}

/** Assignments by the objects and folders that they name. */
function mentionsIn(folder: string, makefile: Makefile): Map<string, Assignment[]> {
  const mentions = new Map<string, Assignment[]>();
  for (const assignment of makefile.assignments) {
    if (NO_LIST.test(assignment.variable)) continue;
    for (const word of assignment.words) {
      if (!/\.o$|\/$/.test(word)) continue;
      const target = pathIn(folder, word);
      const known = mentions.get(target);
      if (known) known.push(assignment);
      else mentions.set(target, [assignment]);
    }
  }
  return mentions;
}

function pathIn(folder: string, word: string): string {
  return /^arch\/|^\.\//.test(word) && folder === "." ? normalize(word) : normalize(join(folder, word));
}

function readFolder(tree: SourceTree, path: string): Folder | undefined {
  // `Kbuild` goes before `Makefile` (Documentation/kbuild/makefiles.rst).
  const names = path === "." ? ["Kbuild"] : ["Kbuild", "Makefile"];
  const file = names.map((name) => join(path, name)).find((name) => existsSync(join(tree.root, name)));
  const text = file === undefined ? undefined : textOf(tree, file);
  if (file === undefined || text === undefined) return undefined;
  const makefile = readMakefile(text, contextOf(tree, path));
  return listsOf(path, file, makefile, path === "." ? topFolders(tree) : []);
}

/** What scripts/Makefile.lib makes of the variables. */
function listsOf(path: string, file: string, makefile: Makefile, top: readonly string[]): Folder {
  const inFolder = (word: string) => pathIn(path, word);
  const objects = [...makefile.words("obj-y"), ...top];
  const modules = makefile.words("obj-m");
  const libraries = [...makefile.words("lib-y"), ...makefile.words("lib-m")];
  const isFolder = (word: string) => word.endsWith("/");
  const isListed = new Set(objects);
  let isWhole = makefile.isWhole;
  const parts = (word: string, suffixes: readonly string[]): string[] => {
    const stem = word.replace(/\.o$/, "");
    const found = suffixes.flatMap((suffix) => makefile.words(`${stem}${suffix}`));
    if (found.includes(UNKNOWN)) isWhole = false;
    return found.length > 0 ? found : [word];
  };
  const known = (word: string) => {
    if (word.includes(UNKNOWN)) isWhole = false;
    return !word.includes(UNKNOWN);
  };
  const builtIn = new Set<string>();
  for (const word of objects.filter(known).filter((word) => !isFolder(word)))
    for (const part of parts(word, ["-objs", "-y"]).filter(known)) builtIn.add(inFolder(part));
  const modular = new Map<string, string>();
  for (const word of modules.filter(known).filter((word) => !isFolder(word) && !isListed.has(word))) {
    const name = basename(word).replace(/\.o$/, "").replaceAll("-", "_");
    for (const part of parts(word, ["-objs", "-y", "-m"]).filter(known)) modular.set(inFolder(part), name);
  }
  const library = new Set(
    libraries
      .filter(known)
      .filter((word) => !isFolder(word) && !isListed.has(word))
      .map(inFolder),
  );
  const entered = new Map<string, "built-in" | "module">();
  for (const word of modules.filter(isFolder)) entered.set(inFolder(word).slice(0, -1), "module");
  for (const word of [...objects, ...libraries].filter(isFolder))
    entered.set(inFolder(word).slice(0, -1), "built-in");
  let mentions: Map<string, Assignment[]> | undefined;
  return {
    path,
    file,
    makefile,
    builtIn,
    modules: modular,
    library,
    entered,
    mentions: () => {
      mentions ??= mentionsIn(path, makefile);
      return mentions;
    },
    isWhole,
  };
}

/**
 * Folders that the top makefile and the architecture's put into `core-y`, `libs-y`, `drivers-y`, and in kernels before
 * 5.18 all the others as well.
 */
function topFolders(tree: SourceTree): string[] {
  const variables = ["head", "init", "core", "drivers", "net", "virt", "libs"].flatMap((name) => [
    `${name}-y`,
    `${name}-m`,
  ]);
  const archFile = `arch/${SOURCE_ARCH[tree.arch]}/Makefile`;
  const archMakefile = readMakefile(textOf(tree, archFile) ?? "", contextOf(tree, "."));
  // The top makefile runs itself again and again; only its lists are of interest, and stand in no condition of ours.
  const lists = (textOf(tree, "Makefile") ?? "")
    .replace(/\\\r?\n[ \t]*/g, " ")
    .split("\n")
    .filter((line) =>
      /^(?:head|init|core|drivers|net|virt|libs)-(?:y|m|\$\(CONFIG_\w+\))\s*[:+]?=/.test(line),
    )
    .filter((line) => !line.includes("patsubst") && !line.includes("filter"));
  const topMakefile = readMakefile(lists.join("\n"), contextOf(tree, "."));
  return variables
    .flatMap((name) => [...topMakefile.words(name), ...archMakefile.words(name)])
    .filter((word) => word.endsWith("/") && !word.includes(UNKNOWN));
}

function contextOf(tree: SourceTree, path: string): Parameters<typeof readMakefile>[1] {
  const arch = SOURCE_ARCH[tree.arch];
  const { config } = tree;
  return {
    option: (name) => (config === undefined ? undefined : (config.value(name) ?? "")),
    variables: {
      srctree: ".",
      objtree: ".",
      src: path,
      obj: path,
      SRCARCH: arch,
      ARCH: arch,
      BITS: "64",
      KBUILD_EXTMOD: "",
      ARCH_CORE: "",
      ARCH_LIB: "",
      ARCH_DRIVERS: "",
      CC_FLAGS_FTRACE: FTRACE_FLAG,
      CC_FLAGS_LTO: "-flto",
      CC_FLAGS_CFI: "-fsanitize=cfi",
      KBUILD_CFLAGS: `${FTRACE_FLAG} ${UNKNOWN}`,
    },
    include: (file) => textOf(tree, normalize(file)),
  };
}

/** Stands for whatever CC_FLAGS_FTRACE is (top Makefile); some makefiles take away `-pg` by name. */
const FTRACE_FLAG = "-pg";

function untracedBy(folders: Folders, folder: Folder, object: string): string | undefined {
  const { makefile, file } = folder;
  // As in scripts/Makefile.lib: the name relative to the folder, and in kernels before 5.4 its last part.
  const relative = folder.path === "." ? object : object.slice(folder.path.length + 1);
  const own = [...new Set([relative, basename(object)])];
  const removed = (variable: string) => makefile.words(variable).includes(FTRACE_FLAG);
  const remover = own.map((name) => `CFLAGS_REMOVE_${name}`).find(removed);
  if (remover !== undefined) return `${remover} in ${file}`;
  if (own.some((name) => makefile.words(`CFLAGS_${name}`).includes(FTRACE_FLAG))) return undefined;
  if (removed("ccflags-remove-y")) return `ccflags-remove-y in ${file}`;
  for (const above of foldersAbove(folders, object)) {
    if (above.makefile.words("subdir-ccflags-remove-y").includes(FTRACE_FLAG))
      return `subdir-ccflags-remove-y in ${above.file}`;
    const flags = above.makefile.words("KBUILD_CFLAGS");
    const mayKeep = flags.includes(FTRACE_FLAG);
    if (!mayKeep) return `KBUILD_CFLAGS in ${above.file}`;
  }
  return undefined;
}

function subfolders(tree: SourceTree, path: string): string[] {
  try {
    return readdirSync(join(tree.root, path), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(path, entry.name))
      .sort();
  } catch {
    return [];
  }
}

function textOf(tree: SourceTree, path: string): string | undefined {
  if (path.startsWith("/") || wordsIn(path).length !== 1 || path.split("/").includes("..")) return undefined;
  try {
    return readFileSync(join(tree.root, path), "utf8");
  } catch {
    return undefined;
  }
}
