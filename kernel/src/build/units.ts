import { dirname } from "node:path";
import type { Work } from "../host/work.js";
import type { Observation } from "../observation.js";
import type { KernelProfile } from "../profile/profile.js";
import { changedNames } from "./changed-names.js";
import { kindOfFile } from "./file-kinds.js";
import { includerSearch } from "./inclusions.js";
import { type FolderObjects, objectsOfFolder, optionThatIsOff } from "./kbuild.js";
import { namingSearch } from "./naming-files.js";
import type { FileChange } from "./patch-files.js";

/** Which translation units a patch may change. */
export interface AffectedUnits {
  /** Paths of `.c` files that the configuration builds, sorted. Some may turn out not to read any changed file. */
  readonly units: readonly string[];
  /**
   * Types that change in headers of which only the units that name a change are looked at, and the headers (`struct
   * tag`): to be proven by those units to be laid out as before.
   */
  readonly types: ReadonlyMap<string, string>;
  /** Headers of which only such units are looked at, if any. */
  readonly byName: ReadonlySet<string>;
  readonly observations: readonly Observation[];
}

/** Beyond so many units a header is refused: each is compiled, judged and carried by itself. */
export const UNIT_LIMIT = 64;

/**
 * Finds the units that changed files belong to: the file itself, and whatever includes it, over any number of
 * headers and included `.c` files; of a header those that name what changed in it, where that can be told. Only what
 * the configuration builds counts. Everything in the patch that compiled C cannot carry is observed.
 */
export async function affectedUnits(
  work: Work,
  profile: KernelProfile,
  changes: readonly FileChange[],
): Promise<AffectedUnits> {
  const observations: Observation[] = [];
  const units = new Set<string>();
  const makefiles = readMakefiles(work, profile);
  const types = new Map<string, string>();
  const byName = new Set<string>();
  const includersOf = await includerSearch(work, profile);
  const namingFiles = namingSearch(work, profile, changes);
  const builtOf = async (files: Iterable<string>) => {
    const built: string[] = [];
    for (const file of files) if (await roleOf(makefiles, file)) built.push(file);
    return built;
  };
  const reachOf = async ({ path, before, after }: FileChange): Promise<Reach> => {
    const includers = await includersOf([path]);
    const all = typeof includers === "string" ? includers : await builtOf(includers);
    if (typeof all !== "string" && all.length <= UNIT_LIMIT)
      return { built: all, files: typeof includers === "string" ? [] : includers };
    const count = typeof all === "string" ? all : `${all.length} units`;
    if (!path.endsWith(".h") || !before || !after)
      return fanOut(path, count, "it is new, removed or no header");
    const changed = changedNames(before.toString("latin1"), after.toString("latin1"));
    if (typeof changed === "string") return fanOut(path, count, changed);
    const names = listed([...changed.names.keys()]);
    const files = await namingFiles(path, changed);
    if (typeof files === "string") return fanOut(path, count, `${files} ${names}`);
    const users = await includersOf(files);
    if (typeof users === "string") return fanOut(path, count, `${users} may include what uses ${names}`);
    const built = typeof all === "string" ? await builtOf(users) : all.filter((unit) => users.includes(unit));
    if (built.length > UNIT_LIMIT) return fanOut(path, count, `${built.length} units may use ${names}`);
    return { built, files: users, types: changed.types };
  };
  for (const change of changes) {
    const { path, before, after } = change;
    const kind = kindOfFile(path);
    if (kind.observation) observations.push(kind.observation);
    if (kind.role === "other") continue;
    if (kind.role === "unit" && !(before && after)) {
      observations.push(unitAppears(path, before === undefined));
      continue;
    }
    const reach = await reachOf(change);
    if ("refusal" in reach) {
      observations.push(reach.refusal);
      continue;
    }
    const { built, files } = reach;
    // Such as a header that the vDSO or assembly shares.
    const others = files.map(kindOfFile).filter(({ role }) => role === "other");
    const special = others[0]?.observation;
    // What names the change is surely concerned.
    const severity = reach.types ? {} : ({ severity: "needs-review" } as const);
    if (special) observations.push({ ...alsoPartOf(path, special, others.length - 1), ...severity });
    if (reach.types) byName.add(path);
    for (const type of reach.types ?? []) types.set(type, path);
    for (const file of built) {
      units.add(file);
      if ((await roleOf(makefiles, file)) === "library") observations.push(libraryMember(file));
    }
  }
  return { units: [...units].sort(), types, byName, observations };
}

/** A file that no unit of this kernel is made of, with the option that is off where the makefiles tell. */
export async function notBuilt(profile: KernelProfile, path: string): Promise<Observation> {
  const option = path.endsWith(".c") ? await optionThatIsOff(profile, path) : undefined;
  const reason = option === undefined ? "no unit of this kernel is made of it" : `${option} is off`;
  return { rule: "not-built", file: path, message: `${path} is not compiled for ${profile.id}: ${reason}` };
}

type Makefiles = (folder: string) => Promise<FolderObjects | undefined>;

/** Each makefile is evaluated once. */
function readMakefiles(work: Work, profile: KernelProfile): Makefiles {
  const read = new Map<string, Promise<FolderObjects | undefined>>();
  return (folder) => {
    const known = read.get(folder) ?? objectsOfFolder(work, profile, folder);
    read.set(folder, known);
    return known;
  };
}

/** A makefile may also list objects of folders below its own that have none (security/selinux/Makefile: `ss/services.o`). */
async function roleOf(makefiles: Makefiles, unit: string): Promise<"object" | "library" | undefined> {
  const object = unit.replace(/\.c$/, ".o");
  for (let folder = dirname(unit); folder !== "."; folder = dirname(folder)) {
    const objects = await makefiles(folder);
    if (objects === undefined) continue;
    const isLibrary = objects.library.has(object);
    if (!isLibrary && !objects.builtIn.has(object) && !objects.module.has(object)) continue;
    if (await isEntered(makefiles, folder)) return isLibrary ? "library" : "object";
  }
  return undefined;
}

/**
 * Whether Kbuild comes to the folder from the top. A makefile may list folders several levels below its own
 * (`input/serio/` in drivers/Makefile); those of the top makefiles are only known to Kbuild, and are taken for entered.
 */
async function isEntered(makefiles: Makefiles, folder: string): Promise<boolean> {
  for (let above = dirname(folder); above !== "." && above !== "arch"; above = dirname(above)) {
    const objects = await makefiles(above);
    if (objects?.folders.has(folder)) return await isEntered(makefiles, above);
  }
  const depth = folder.split("/").length;
  return folder.startsWith("arch/") ? depth <= 3 : depth === 1;
}

/** What a `.c` file means that only one side of a patch has. @param added it is new; else it is removed */
export function unitAppears(path: string, added: boolean): Observation {
  return {
    rule: "build-input-changed",
    file: path,
    message: added
      ? `${path} is a new file, which no makefile of this kernel compiles; put its functions into a file that is`
      : `${path} is removed, but its code stays in the running kernel`,
  };
}

/** The units to look at, and, when not all are, the types that these must prove to be laid out as before. */
type Reach =
  | {
      readonly built: readonly string[];
      /** With those that are no units of this kernel. */
      readonly files: readonly string[];
      readonly types?: ReadonlySet<string>;
    }
  | { readonly refusal: Observation };

/** @param more how many others there are */
function alsoPartOf(path: string, { message, ...kind }: Observation, more: number): Observation {
  const others = more > 0 ? ` (and ${more} more)` : "";
  return { ...kind, file: path, message: `${path} is also part of other code: ${message}${others}` };
}

/** @param reason why it is not enough to look at the units that name what changed */
function fanOut(path: string, count: string, reason: string): Reach {
  const refusal = {
    rule: "header-fan-out",
    severity: "unsafe",
    file: path,
    message: `${path} is included by ${count}, the limit is ${UNIT_LIMIT} units, and looking at those that name what changed does not help: ${reason}`,
  } as const;
  return { refusal };
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 3).map((name) => `'${name}'`);
  return names.length > 3 ? `${shown.join(", ")} or ${names.length - 3} more` : shown.join(" or ");
}

function libraryMember(path: string): Observation {
  return {
    rule: "library-archive-object",
    file: path,
    message: `${path} goes into lib.a, where functions have no ftrace entry and may exist more than once`,
  };
}
