import { createHash } from "node:crypto";
import { readFileSync, realpathSync, statSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import type { ElfObject } from "../elf/object.js";
import { writeElf } from "../elf/write.js";
import { checkpoint, type Work } from "../host/work.js";
import { linkingMaterials, makePatchModule } from "../module/make-patch-module.js";
import { judgeSigningKey, type SigningKey, signModule } from "../module/sign-module.js";
import { type DiffResult, diffObjects, type OpenObject, openObject } from "../objdiff/diff-objects.js";
import type { ObjectDiff } from "../objdiff/report.js";
import type { Observation } from "../observation.js";
import { parseConfig } from "../profile/config.js";
import { limitRemarks } from "../profile/config-limits.js";
import type { KernelProfile } from "../profile/profile.js";
import { linkedKernel } from "../runpre/linked-kernel.js";
import { type RunPre, runPre } from "../runpre/run-pre.js";
import type { BuildResult, PatchModule } from "./build.js";
import { compilePatched } from "./compile.js";
import { objectOf } from "./compile-command.js";
import { editsOf } from "./edits.js";
import { kindOfFile } from "./file-kinds.js";
import { inPatchedTree } from "./locations.js";
import { moduleName } from "./module-name.js";
import { type Original, originalsOf } from "./originals.js";
import { judgeOutput, publish } from "./output.js";
import { applyPatches, type FileChange, type PatchFile } from "./patch-files.js";
import { type PreObjects, preObjects } from "./pre-object.js";
import { provenanceOf } from "./provenance.js";
import { skeleton } from "./skeleton.js";
import { type AffectedUnits, affectedUnits, notBuilt } from "./units.js";

export interface BuildRequest {
  /** A series, applied in order. */
  readonly patches: readonly PatchFile[];
  /** Folder for `patch.ko`, `patch.provenance.json` and `objects/`; made when missing. */
  readonly outputDir: string;
  /** Of the module; by default made from the first patch's name. */
  readonly name?: string;
  /** Whether the module takes over from all patches loaded before it; by default it is added to them. */
  readonly replace?: boolean;
  /** Signs the module, and the core beside it; unsigned when absent. */
  readonly signing?: SigningKey;
}

const CORE = "hotpatch_core.ko";
/** What a build may leave in its output folder. The report beside it is the caller's, and void from now on. */
const OUTPUTS = ["patch.ko", CORE, "patch.provenance.json", "objects", "report.json"];
const DAY = 24 * 60 * 60 * 1000;

/**
 * Builds a loadable patch module from a source patch: applies it in a private place, compiles the affected units before
 * and after, compares the objects and links what differs. Writes to `outputDir` and the cache only; the output folder
 * changes at the very end, and an earlier module in it is gone when this build yields none.
 * @returns what was found: everything that stands in the way, from all units, and the module if nothing does.
 *   `objects/UNIT.diff.o` in the output folder holds what each unit carries
 * @throws Fault `bad-input` for a patch, name or output folder that cannot be used, `lacking` for a machine or kernel
 *   that lacks something, `interrupted` when stopped
 */
export async function buildPatch(
  work: Work,
  profile: KernelProfile,
  request: BuildRequest,
): Promise<BuildResult> {
  const name = moduleName(request.name, request.patches[0]?.name ?? "");
  const outputDir = await judgeOutput(request.outputDir, [profile.source, profile.build]);
  const { replace = false, signing } = request;
  if (signing) await judgeSigningKey(signing);
  const folder = await openWorkFolder(work);
  const pres = preObjects(work, profile);
  try {
    work.progress("applying the patch");
    const copies = join(folder, "copies");
    await mkdir(copies);
    const changes = await applyPatches(work, profile.source, request.patches, copies);
    const materials = linkingMaterials(work, profile);
    const vmlinux = materials.then(async ({ symbols }) =>
      linkedKernel(work, profile, await symbols.table("vmlinux")),
    );
    // Awaited once there is something to link; until then, a failure must not end the process.
    for (const awaited of [materials, vmlinux]) awaited.catch(() => undefined);
    const compared = await compareUnits(work, profile, changes, folder, pres);
    const config = parseConfig(await readFile(profile.config, "utf8"));
    const observations = [...compared.observations, ...limitRemarks(config)];

    let module: PatchModule | undefined;
    let matched: RunPre | undefined;
    let core: string | undefined;
    let provenance = "";
    const carried = compared.units.filter(isCarried);
    if (!compared.refused) {
      if (carried.every(({ report, callbacks }) => report.changed.length + callbacks.length === 0))
        observations.push(changesNothing(compared.units.length));
      else {
        const units = carried.map(({ report, ...unit }) => ({ ...unit, changed: report.changed }));
        const wanted = {
          ...{ name, units, path: join(folder, "patch.ko"), replace },
          ...(signing && { signing }),
        };
        const linked = await materials;
        const both = [
          makePatchModule(work, profile, wanted, linked),
          runPre(work, profile, linked.symbols, vmlinux, units, folder),
        ] as const;
        // Both write to the work folder: when one fails, the other must have ended before it is removed.
        await Promise.allSettled(both);
        const [made, found] = await Promise.all(both);
        matched = found;
        observations.push(...made.observations, ...matched.observations);
        if (made.module && !matched.observations.some(blocks)) {
          ({ core } = made.module);
          const path = join(outputDir, "patch.ko");
          module = { ...made.module, path, ...(core !== undefined && { core: join(outputDir, CORE) }) };
          provenance = await provenanceOf(work, profile, module, {
            patches: request.patches,
            changes,
            units: compared.units.map(({ unit }) => unit),
            replace,
            signed: signing !== undefined,
          });
        }
      }
    }
    checkpoint(work);
    await publish(outputDir, OUTPUTS, async (aside) => {
      const written: string[] = [];
      for (const { unit, carried: object } of carried) {
        const path = join(aside, "objects", unit.replace(/\.c$/, ".diff.o"));
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, writeElf(object));
      }
      for (const [unit, text] of matched?.disassemblies ?? [])
        await writeFile(join(aside, "objects", unit.replace(/\.c$/, ".run-pre.txt")), text);
      if (carried.length > 0) written.push("objects");
      if (module) {
        await copyFile(join(folder, "patch.ko"), join(aside, "patch.ko"));
        await writeFile(join(aside, "patch.provenance.json"), provenance);
        written.push("patch.ko", "patch.provenance.json");
        if (core !== undefined) {
          await copyFile(core, join(aside, CORE));
          if (signing) await signModule(work, profile, join(aside, CORE), signing);
          written.push(CORE);
        }
      }
      return written;
    });
    return {
      patch: { files: changes.map(({ path }) => path), sha256: digestOf(request.patches) },
      objects: compared.units.map(({ report }) => report),
      observations,
      ...(matched && matched.functions.length > 0 && { runPre: matched.functions }),
      ...(module && { module }),
    };
  } finally {
    await pres.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

function declaresTheSame({ before, after }: FileChange): boolean {
  return (
    before !== undefined &&
    after !== undefined &&
    skeleton(before.toString("latin1")) === skeleton(after.toString("latin1"))
  );
}

interface Comparison {
  readonly units: readonly ComparedUnit[];
  readonly observations: readonly Observation[];
  /** Something stands in the way of a module. */
  readonly refused: boolean;
}

interface ComparedUnit {
  readonly unit: string;
  readonly object: string;
  readonly orig: ElfObject;
  readonly objtool?: readonly [string, ...string[]];
  readonly report: ObjectDiff;
  readonly carried?: ElfObject;
  readonly pre: () => Promise<Uint8Array>;
  readonly callbacks: DiffResult["callbacks"];
  readonly states: DiffResult["states"];
}

async function compareUnits(
  work: Work,
  profile: KernelProfile,
  changes: readonly FileChange[],
  folder: string,
  pres: PreObjects,
): Promise<Comparison> {
  work.progress("looking for the files it reaches");
  const affected = await affectedUnits(work, profile, changes);
  const observations = [...affected.observations];
  const originals = await concerned(work, profile, changes, affected.units);
  // Of many units, such as the users of a header, most turn out unchanged and need none. A failure is for whoever asks.
  if (originals.size === 1)
    for (const [unit, original] of originals) pres.of(unit, original).catch(() => undefined);
  const patched = await compilePatched(work, profile, changes, originals, folder);
  observations.push(...patched.flatMap((unit) => unit.observations).filter(isFirst));
  observations.push(...(await unread(profile, changes, originals, affected)));

  const roots = [await realpath(profile.source), join(await realpath(folder), "view")];
  const units: ComparedUnit[] = [];
  const sameTypes = changes.every(declaresTheSame);
  const edits = editsOf(changes, roots, (path) => sourceText(profile.source, path));
  let refused = observations.some(blocks);
  const unseen = new Map(affected.types);
  for (const { unit, object } of patched) {
    const original = originals.get(unit);
    if (original === undefined || object === undefined) continue;
    checkpoint(work);
    work.progress(`comparing ${unit}`);
    const path = unit.replace(/\.c$/, ".o");
    const orig = openObject(original.object, path);
    const now = openObject(object, path);
    const { report, carried, callbacks, states } = diffObjects(orig, now, { sameTypes, edits });
    // Where both know a type, they have been compared.
    for (const type of commonTypes(orig, now, unseen)) unseen.delete(type);
    const locate = (observation: Observation) => ({
      file: unit,
      ...inPatchedTree(observation, roots, changes),
    });
    const refusals = report.refusals.map(locate);
    const remarks = report.remarks.map(locate);
    observations.push(...refusals, ...remarks);
    refused ||= report.outcome === "refused";
    units.push({
      unit,
      object: objectOf(original.compile),
      orig: orig.atomic.object,
      ...(original.objtool && { objtool: objtoolCommand(original.objtool) }),
      report: { ...report, refusals, remarks },
      pre: () => pres.of(unit, original),
      ...(carried && { carried }),
      callbacks,
      states,
    });
  }
  for (const [type, header] of unseen) {
    observations.push(unproven(type, header));
    refused = true;
  }
  return { units, observations, refused };
}

function commonTypes(orig: OpenObject, patched: OpenObject, wanted: ReadonlyMap<string, string>): string[] {
  if (wanted.size === 0) return [];
  const isKnown = ({ information }: OpenObject, type: string, header: string) =>
    information()?.types.some(
      ({ keyword, name, file }) => type === `${keyword} ${name}` && `/${file}`.endsWith(`/${header}`),
    );
  return [...wanted].flatMap(([type, header]) =>
    isKnown(orig, type, header) && isKnown(patched, type, header) ? [type] : [],
  );
}

function unproven(type: string, header: string): Observation {
  return {
    rule: "header-fan-out",
    severity: "unsafe",
    file: header,
    symbol: type,
    message: `${type} changes in ${header}, and no file of the patch uses it, so that nobody knows whether its layout stays`,
  };
}

/** Debug information also names files that are not in the tree, and a patch can have it name any (`#line`). */
function sourceText(source: string, path: string): string | undefined {
  try {
    const file = realpathSync(join(source, path));
    const isSource = file.startsWith(`${realpathSync(source)}/`) && statSync(file).isFile();
    return isSource ? readFileSync(file, "latin1") : undefined;
  } catch {
    return undefined;
  }
}

/** The originals of the units that really read a changed file, by the compiler's own account. */
async function concerned(
  work: Work,
  profile: KernelProfile,
  changes: readonly FileChange[],
  units: readonly string[],
): Promise<Map<string, Original>> {
  const originals = await originalsOf(work, profile, units);
  // A new header is in no original's account; whether anything reads it, only the patched compile can tell.
  if (changes.some(({ before }) => before === undefined)) return originals;
  const changed = new Set(changes.map(({ path }) => path));
  const isConcerned = ([, { sources }]: [string, Original]) =>
    sources.some((path) => changed.has(normalize(path)));
  return new Map([...originals].filter(isConcerned));
}

/** Changed files that no unit of this kernel reads; bad only when there is no other. */
async function unread(
  profile: KernelProfile,
  changes: readonly FileChange[],
  originals: ReadonlyMap<string, Original>,
  { observations: explained, byName, types }: AffectedUnits,
): Promise<Observation[]> {
  const read = new Set(
    [...originals.values()].flatMap(({ sources }) => sources.map((path) => normalize(path))),
  );
  const missing = changes.filter(
    ({ path, before }) =>
      before &&
      !read.has(path) &&
      // Of these more is said.
      ![...types.values()].includes(path) &&
      kindOfFile(path).role !== "other" &&
      !explained.some((observation) => observation.file === path && blocks(observation)),
  );
  const severity = originals.size > 0 ? ({ severity: "info" } as const) : {};
  return Promise.all(
    missing.map(async ({ path }) =>
      byName.has(path) ? unnoticed(path) : { ...(await notBuilt(profile, path)), ...severity },
    ),
  );
}

function unnoticed(path: string): Observation {
  return {
    rule: "no-functional-change",
    severity: "info",
    file: path,
    message: `nothing that this kernel is made of uses what changes in ${path}`,
  };
}

function isCarried(unit: ComparedUnit): unit is ComparedUnit & { carried: ElfObject } {
  return unit.carried !== undefined;
}

/** Without a word about its weight, an observation stands in the way. */
function blocks({ severity }: Observation): boolean {
  return (severity ?? "unsafe") === "unsafe";
}

/** A header's error is found by every unit that includes it. */
function isFirst(observation: Observation, index: number, all: readonly Observation[]): boolean {
  const same = (other: Observation) =>
    (["rule", "file", "line", "column", "message"] as const).every((key) => other[key] === observation[key]);
  return all.findIndex(same) === index;
}

function changesNothing(units: number): Observation {
  const reason =
    units === 0
      ? "it touches no C code of this kernel"
      : units === 1
        ? "the object is the same before and after"
        : `all ${units} objects are the same before and after`;
  return { rule: "no-functional-change", message: `the patch changes nothing that runs: ${reason}` };
}

/** patch.ko is a module, whatever the unit was part of (`--module` of tools/objtool/builtin-check.c). */
function objtoolCommand(options: readonly string[]): [string, ...string[]] {
  return ["./tools/objtool/objtool", ...options, ...(options.includes("--module") ? [] : ["--module"])];
}

function digestOf(patches: readonly PatchFile[]): string {
  const hash = createHash("sha256");
  for (const { text } of patches) hash.update(text);
  return hash.digest("hex");
}

/** Leftovers of builds that were killed are removed once nobody can be at work in them any more. */
async function openWorkFolder(work: Pick<Work, "cache">): Promise<string> {
  const parent = join(work.cache, "work");
  await mkdir(parent, { recursive: true });
  for (const name of await readdir(parent)) {
    const found = await stat(join(parent, name)).catch(() => undefined);
    if (found && Date.now() - found.mtimeMs > DAY)
      await rm(join(parent, name), { recursive: true, force: true });
  }
  return await mkdtemp(join(parent, "build-"));
}
