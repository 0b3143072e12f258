import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { runConfinedOk } from "../host/confined.js";
import type { Work } from "../host/work.js";
import { foldersOf, type KernelProfile } from "../profile/profile.js";
import { redirectCommand } from "./compile-command.js";
import { buildCache, type Original, SECTION_FLAGS, writeAside } from "./originals.js";
import { makeView } from "./view.js";

/** What the cache keeps beside PRE.o. */
interface Notes {
  readonly schemaVersion: 1;
  /** Of PRE.o. */
  readonly sha256: string;
  /** `print` of the original that it belongs to. */
  readonly original: string;
}

/** The PRE.o of units, each made when it is first asked for. */
export interface PreObjects {
  readonly of: (unit: string, original: Original) => Promise<Uint8Array>;
  /** Ends what is still being made; to be awaited. */
  readonly stop: () => Promise<void>;
}

export function preObjects(work: Work, profile: KernelProfile): PreObjects {
  const ended = new AbortController();
  const stoppable = { ...work, signal: AbortSignal.any([work.signal, ended.signal]) };
  const asked = new Map<string, Promise<Uint8Array>>();
  return {
    of(unit, original) {
      const object = asked.get(unit) ?? preObject(stoppable, profile, unit, original);
      asked.set(unit, object);
      return object;
    },
    async stop() {
      ended.abort();
      await Promise.allSettled(asked.values());
    },
  };
}

/**
 * PRE.o: a unit of the pristine tree compiled exactly as the kernel was, without the section flags that make ORIG.o and
 * PATCHED.o comparable and also change code. What is running must look like this.
 * @returns the object, from the cache where it is there
 * @throws Fault `defect` when it does not compile
 */
export async function preObject(
  work: Work,
  profile: KernelProfile,
  unit: string,
  original: Original,
): Promise<Uint8Array> {
  const place = join(await buildCache(work, profile), "units", `${unit}.pre`);
  const kept = await readKept(place, original);
  if (kept) return kept;
  const works = join(work.cache, "work");
  await Promise.all([dirname(place), works].map((path) => mkdir(path, { recursive: true })));
  const folder = await mkdtemp(join(works, "pre-"));
  try {
    const object = join(folder, "pre.o");
    const generated = Object.entries(original.generated).map(
      ([path, text]) => [path, Buffer.from(text)] as const,
    );
    const build = generated.length === 0 ? profile.build : join(folder, "build");
    if (generated.length > 0) makeView(profile.build, build, new Map(generated));
    const { source } = profile;
    const command = redirectCommand(withoutSectionFlags(original.compile), {
      from: source,
      source,
      object,
      dependencies: `${object}.d`,
    });
    const confinement = { readable: foldersOf(profile), writable: folder };
    await runConfinedOk(work, command, confinement, {
      cwd: build,
      deadline: DEADLINE,
      env: { LC_ALL: "C" },
      failure: { code: "defect", message: `cannot compile the unpatched ${unit} as the kernel was` },
    });
    const bytes = await readFile(object);
    const notes: Notes = { schemaVersion: 1, sha256: digestOf(bytes), original: original.print };
    await writeAside(`${place}.o`, bytes);
    await writeAside(`${place}.json`, JSON.stringify(notes));
    return bytes;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const DEADLINE = 300;

async function readKept(place: string, original: Original): Promise<Uint8Array | undefined> {
  try {
    const notes = JSON.parse(await readFile(`${place}.json`, "utf8")) as Notes;
    if (notes.schemaVersion !== 1 || notes.original !== original.print) return undefined;
    const bytes = await readFile(`${place}.o`);
    return digestOf(bytes) === notes.sha256 ? bytes : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Kbuild puts KCFLAGS behind its own options, so that flags that the kernel itself has remain. */
function withoutSectionFlags(compile: readonly string[]): string[] {
  const words = [...compile];
  for (const flag of SECTION_FLAGS.split(" ")) words.splice(words.lastIndexOf(flag), 1);
  return words;
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
