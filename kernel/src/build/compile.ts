import { existsSync, realpathSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runConfined } from "../host/confined.js";
import { Fault } from "../host/fault.js";
import type { RunResult } from "../host/run.js";
import { checkpoint, type Work } from "../host/work.js";
import type { Observation } from "../observation.js";
import { foldersOf, type KernelProfile } from "../profile/profile.js";
import { readDependencyFile, redirectCommand } from "./compile-command.js";
import { keepLineNumbers } from "./line-markers.js";
import type { Original } from "./originals.js";
import type { FileChange } from "./patch-files.js";
import { makeView, rewriteInView } from "./view.js";

/** A unit compiled with the patch. */
export interface PatchedUnit {
  readonly unit: string;
  /** PATCHED.o; absent when it does not compile, which `observations` then explain. */
  readonly object?: Uint8Array;
  readonly observations: readonly Observation[];
  /** Changed files that it reads, relative to the root of the tree. */
  readonly changedFiles: ReadonlySet<string>;
}

/** `hotpatch.h` and the names that peers gave it, and what it includes for kernels without livepatch. */
const AUTHORS_HEADERS = ["include", "ftrace"].map((folder) =>
  fileURLToPath(new URL(`../../runtime/${folder}`, import.meta.url)),
);

/** An emulated compiler on a busy machine has been seen to need more than five minutes. */
const LIMIT = { seconds: 1200, output: 8 * 1024 ** 2, errors: 50 };

/**
 * Compiles units with the patch applied, by the very commands that made their originals, in a private view of the
 * source. The pristine tree and the build folder are only read.
 * @param folder empty work folder
 * @returns in the order of `originals`
 * @throws Fault `bad-input` when the patched code makes the compiler read files outside the source, or run without
 *   bound; `defect` when a changed file was read from the pristine tree
 */
export async function compilePatched(
  work: Work,
  profile: KernelProfile,
  changes: readonly FileChange[],
  originals: ReadonlyMap<string, Original>,
  folder: string,
): Promise<PatchedUnit[]> {
  const units = [...originals];
  const place = await makePlace(profile, changes, units, folder);
  const unexplained: [string, Original][] = [];
  const done = new Map<string, PatchedUnit>();
  await inParallel(units, async ([unit, original]) => {
    work.progress(`compiling ${unit} patched`, units.length > 1 ? done.size / units.length : undefined);
    const compiled = await compile(work, place, unit, original);
    if (compiled.object) done.set(unit, compiled);
    else unexplained.push([unit, original]);
  });
  // Once more without the line markers: the compiler's messages then have the true lines.
  if (unexplained.length > 0) rewriteInView(place.view, afterOf(changes));
  await inParallel(unexplained, async ([unit, original]) => {
    done.set(unit, await compile(work, place, unit, original));
  });
  checkpoint(work);
  return units.map(([unit]) => done.get(unit)).filter((unit) => unit !== undefined);
}

/** Where a patched unit is compiled. All paths are absolute and free of symbolic links. */
interface Place {
  readonly source: string;
  readonly view: string;
  /** Working directory: the profile's build folder, or a view of it with what the units' own build generated. */
  readonly build: string;
  /** The profile's build folder itself, which that view leads to. */
  readonly pristineBuild: string;
  readonly folder: string;
  /** What the compiler may read beside that. */
  readonly readable: readonly string[];
  readonly changed: ReadonlySet<string>;
  /** Real paths by spelled ones. */
  readonly realPaths: Map<string, string>;
}

async function makePlace(
  profile: KernelProfile,
  changes: readonly FileChange[],
  units: readonly [string, Original][],
  outside: string,
): Promise<Place> {
  const folder = realpathSync(outside);
  const source = realpathSync(profile.source);
  const view = join(folder, "view");
  const changed = new Set(changes.map(({ path }) => path));
  const names = new Set(units.map(([unit]) => unit));
  // A changed header may be reached through `..` from any folder that the units read from.
  const onlyUnits = [...changed].every((path) => names.has(path));
  const reached = onlyUnits ? names : new Set(units.flatMap(([unit, { sources }]) => [unit, ...sources]));
  makeView(source, view, markedOf(changes), [
    ...reached,
    ...units.flatMap(([, unit]) => roundabouts(unit, source)),
  ]);

  const generated = new Map(
    units.flatMap(([, unit]) =>
      Object.entries(unit.generated).map(([path, text]) => [path, Buffer.from(text)] as const),
    ),
  );
  const pristineBuild = realpathSync(profile.build);
  const build = generated.size === 0 ? pristineBuild : join(folder, "build");
  if (generated.size > 0) makeView(pristineBuild, build, generated);
  const readable = [...foldersOf(profile), ...AUTHORS_HEADERS];
  return { source, view, build, pristineBuild, folder, readable, changed, realPaths: new Map() };
}

/** Folders that the command itself names by way of `..`, as a path below them. */
function roundabouts({ compile }: Original, source: string): string[] {
  return compile
    .filter((word) => word.includes("/../") || word.endsWith("/.."))
    .map((word) => word.slice(word.indexOf(source) + source.length + 1))
    .map((path) => `${path}/.`);
}

function afterOf(changes: readonly FileChange[]): Map<string, Uint8Array | undefined> {
  return new Map(changes.map(({ path, after }) => [path, after]));
}

function markedOf(changes: readonly FileChange[]): Map<string, Uint8Array | undefined> {
  return new Map(
    changes.map(({ path, before, after }) => {
      if (!before || !after || !/\.[ch]$/.test(path)) return [path, after];
      const marked = keepLineNumbers(before.toString("latin1"), after.toString("latin1"));
      return [path, Buffer.from(marked, "latin1")];
    }),
  );
}

async function compile(work: Work, place: Place, unit: string, original: Original): Promise<PatchedUnit> {
  const object = join(place.folder, "objects", unit.replace(/\.c$/, ".o"));
  await mkdir(dirname(object), { recursive: true });
  const command = redirectCommand(original.compile, {
    from: place.source,
    source: place.view,
    object,
    dependencies: `${object}.d`,
  });
  const [compiler, ...words] = command;
  // Behind all others: where the kernel has a header of that name, it is the one that counts.
  const additions = [
    `-Wa,--MD,${object}.s.d`,
    ...AUTHORS_HEADERS.flatMap((folder) => ["-idirafter", folder]),
  ];
  const result = await runCompiler(work, place, unit, [compiler, ...additions, ...words]);
  const read = [
    ...(await dependenciesIn(`${object}.d`, place)),
    // What the assembler reads is in nobody's include path: `.incbin`.
    ...(await dependenciesIn(`${object}.s.d`, place)),
  ];
  const changedFiles = judgeReads(place, unit, original, read);
  if (result.status !== 0) return { unit, observations: compilerErrors(place, unit, result), changedFiles };
  return { unit, object: await readFile(object), observations: [], changedFiles };
}

async function runCompiler(
  work: Work,
  { readable, folder, build }: Place,
  unit: string,
  command: [string, ...string[]],
): Promise<RunResult> {
  const options = {
    cwd: build,
    deadline: LIMIT.seconds,
    outputLimit: LIMIT.output,
    env: { LC_ALL: "C" },
  };
  try {
    return await runConfined(work, command, { readable, writable: folder }, options);
  } catch (error) {
    if (error instanceof Fault && error.code === "bad-input")
      throw new Fault(
        "bad-input",
        `compiling the patched ${unit} took more than ${LIMIT.seconds} s or printed too much`,
        {
          cause: error,
        },
      );
    throw error;
  }
}

async function dependenciesIn(file: string, place: Place): Promise<string[]> {
  if (!existsSync(file)) return [];
  // Not normalised: what `..` means after a symbolic link is exactly what is in question.
  return readDependencyFile(await readFile(file, "latin1")).map((path) =>
    isAbsolute(path) ? path : `${place.build}/${path}`,
  );
}

/**
 * Proves by what was read that the patch was compiled, and nothing but the patch and the kernel.
 * @returns changed files among them
 */
function judgeReads(
  place: Place,
  unit: string,
  original: Original,
  read: readonly string[],
): ReadonlySet<string> {
  const changedFiles = new Set<string>();
  const allowed = [
    place.folder,
    place.source,
    place.pristineBuild,
    ...AUTHORS_HEADERS.map((folder) => realPathOf(place, folder)),
    ...includeFolders(original),
  ];
  for (const spelled of read) {
    const path = realPathOf(place, spelled);
    if (path.startsWith(`${place.view}/`)) {
      changedFiles.add(path.slice(place.view.length + 1));
    } else if (path.startsWith(`${place.source}/`)) {
      const inTree = path.slice(place.source.length + 1);
      if (place.changed.has(inTree))
        throw new Fault("defect", `${unit} was compiled with the unpatched ${inTree}`, { detail: spelled });
    } else if (!allowed.some((folder) => path.startsWith(`${folder}/`))) {
      throw new Fault("bad-input", `the patched ${unit} reads ${path}, which is not the kernel's source`);
    }
  }
  return changedFiles;
}

/** Folders outside tree and build that Kbuild itself has the compiler look into, such as the compiler's own. */
function includeFolders({ compile }: Original): string[] {
  return compile
    .map((word, index) =>
      ["-I", "-isystem"].includes(compile[index - 1] ?? "") ? word : word.replace(/^-I/, ""),
    )
    .filter((word) => isAbsolute(word) && existsSync(word))
    .map((word) => realpathSync(word));
}

function realPathOf(place: Place, spelled: string): string {
  const known = place.realPaths.get(spelled);
  if (known !== undefined) return known;
  // The assembler's own temporary file is gone by now.
  const path = existsSync(spelled) ? realpathSync(spelled) : spelled;
  place.realPaths.set(spelled, path);
  return path;
}

/** The compiler's words, one observation an error, with paths as in the tree. */
function compilerErrors(place: Place, unit: string, { stderr, status }: RunResult): Observation[] {
  const lines = stderr
    .replaceAll(`${place.view}/`, "")
    // The compiler's temporary file, of another name each time.
    .replaceAll(new RegExp(`${place.folder}/cc\\w{6}\\.s`, "g"), unit.replace(/\.c$/, ".s"))
    .split("\n");
  const starts = [...lines.keys()].filter((at) =>
    /^[^\s:][^:]*:\d+:(?:\d+:)? (?:fatal )?error: /.test(lines[at] ?? ""),
  );
  const errors = starts.slice(0, LIMIT.errors).map((at): Observation => {
    const [, file = "", line = "", column, message = ""] =
      /^([^:]+):(\d+):(?:(\d+):)? (?:fatal )?error: (.*)$/.exec(lines[at] ?? "") ?? [];
    // Notes belong to the error before them.
    const end = lines.findIndex(
      (text, index) =>
        index > at && /^[^\s|][^:]*:(?:\d+|\s*In )/.test(text) && !/^[^:]+:[\d:]+ note: /.test(text),
    );
    return {
      rule: "does-not-compile",
      message,
      file,
      line: Number(line),
      ...(column !== undefined && { column: Number(column) }),
      detail: lines
        .slice(at, end < 0 ? undefined : end)
        .join("\n")
        .trimEnd(),
    };
  });
  if (errors.length > 0) return errors;
  if (stderr.includes("No space left on device")) throw new Fault("lacking", "the disk is full");
  // Such as the assembler's, which know lines of its temporary file only.
  const words = lines.find((line) => /error/i.test(line)) ?? `exit status ${status}`;
  return [
    {
      rule: "does-not-compile",
      file: unit,
      message: `${unit} does not compile: ${words}`,
      detail: lines.join("\n"),
    },
  ];
}

/** All that were started are over when this returns or throws. */
async function inParallel<T>(items: readonly T[], action: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    try {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) await action(item);
    } catch (error) {
      queue.length = 0;
      throw error;
    }
  };
  const workers = Array.from({ length: Math.min(availableParallelism(), items.length) }, worker);
  for (const result of await Promise.allSettled(workers))
    if (result.status === "rejected") throw result.reason;
}
