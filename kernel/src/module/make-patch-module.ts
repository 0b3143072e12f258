import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { PatchModule } from "../build/build.js";
import { SymbolBinding, SymbolType } from "../elf/format.js";
import type { ElfObject, ElfSection } from "../elf/object.js";
import { readElf } from "../elf/read.js";
import { writeElf } from "../elf/write.js";
import { runConfinedOk } from "../host/confined.js";
import { Fault } from "../host/fault.js";
import type { Work } from "../host/work.js";
import type { SystemState } from "../objdiff/marks.js";
import type { Observation } from "../observation.js";
import { foldersOf, type KernelProfile } from "../profile/profile.js";
import { type FindByCode, finderByCode, type UnitWithCode } from "./ftrace/find-by-code.js";
import type { LateReference } from "./ftrace/late-reference.js";
import { linkLate } from "./ftrace/link-unit.js";
import { ftraceTables } from "./ftrace/tables.js";
import { joinObjects } from "./join.js";
import { type Export, type KernelSymbols, kernelSymbols } from "./kernel-symbols.js";
import { callbacksOf, type DeclaredCallbacks, keepCallable } from "./livepatch/callbacks.js";
import { type LinkedUnit, linkUnit } from "./livepatch/relocations.js";
import { statesOf } from "./livepatch/states.js";
import { livepatchTables, type Redirect } from "./livepatch/tables.js";
import { modinfoSection, versionDisagreements, versionsSection } from "./modinfo.js";
import { resolveInObject } from "./resolve.js";
import { layoutOf, type Runtime, runtimeOf } from "./runtime.js";
import { type SigningKey, signModule } from "./sign-module.js";

/** A translation unit that the object diff could carry. */
export interface CarriedUnit extends UnitWithCode, DeclaredCallbacks {
  /** diff.o as the object diff made it. */
  readonly carried: ElfObject;
  /** Names in ORIG.o of the functions to redirect. */
  readonly changed: readonly string[];
  readonly states: readonly SystemState[];
  /** Program and arguments that the kernel's build runs on each object, without the object's path. */
  readonly objtool?: readonly [string, ...string[]];
}

export interface PatchModuleRequest {
  /** Name of the module, such as `hotpatch_meminfo`. */
  readonly name: string;
  readonly units: readonly CarriedUnit[];
  /** Path of the module to write; its folder is also used for files on the way. */
  readonly path: string;
  /** Whether it takes over from all patches before it (Documentation/livepatch/cumulative-patches.rst). */
  readonly replace?: boolean;
  readonly signing?: SigningKey;
}

/** What every module for a kernel is linked with. */
export interface LinkingMaterials {
  readonly symbols: KernelSymbols;
  readonly runtime: Runtime;
  /** On the ftrace back end only. */
  readonly findByCode?: FindByCode;
}

/**
 * Reads what modules for a kernel are linked with; best done while the compiler is busy.
 * @throws Fault as `runtimeOf`
 */
export async function linkingMaterials(work: Work, profile: KernelProfile): Promise<LinkingMaterials> {
  const [symbols, runtime] = await Promise.all([kernelSymbols(work, profile), runtimeOf(work, profile)]);
  await Promise.all([symbols.table("vmlinux"), symbols.anyModule()]);
  if (runtime.backend !== "ftrace") return { symbols, runtime };
  return { symbols, runtime, findByCode: await finderByCode(work, profile, symbols) };
}

/**
 * Makes a loadable patch.ko of diff objects, on the back end of the profile.
 * @returns the module, unless something stands in the way: then only observations, all of them
 * @throws Fault as `signModule`
 */
export async function makePatchModule(
  work: Work,
  profile: KernelProfile,
  request: PatchModuleRequest,
  materials: LinkingMaterials,
): Promise<{ module?: PatchModule; observations: Observation[] }> {
  const { symbols, runtime, findByCode } = materials;
  work.progress("linking patch.ko");
  const units = await Promise.all(
    request.units.map(async (unit) => ({
      ...unit,
      carried: await afterObjtool(work, profile, unit, dirname(request.path)),
    })),
  );
  const ofCore = runtime.core?.exports ?? new Map<string, Export>();
  const ours = ["hotpatch_patch", ...units.flatMap(({ carried }) => globalDefinitions(carried))];
  const defined = new Set([...ours, ...ofCore.keys()]);
  const observations: Observation[] = [];
  const used = new Map<string, Export>();
  const redirects: Redirect[] = [];
  const late: LateReference[] = [];
  for (const unit of units) {
    const replacements = new Map(
      unit.carried.symbols
        .filter(({ type }) => type === SymbolType.FUNCTION)
        .map((symbol) => [symbol.name, symbol]),
    );
    const linked: LinkedUnit & { readonly late?: readonly LateReference[] } = findByCode
      ? await linkLate(symbols, unit, unit.carried, defined, findByCode)
      : await linkUnit(symbols, unit, unit.carried, defined);
    late.push(...(linked.late ?? []));
    for (const [name, entry] of linked.exports) used.set(name, entry);
    observations.push(...linked.refusals.map(asRefusal), ...linked.remarks);
    for (const name of unit.changed) {
      const resolution = await resolveInObject(symbols, unit, name);
      const replacement = replacements.get(name);
      if (replacement === undefined) throw new Fault("defect", `diff.o of ${unit.unit} lacks '${name}'`);
      if (resolution.kind === "livepatch") redirects.push({ ...resolution, name, replacement });
      else if (resolution.kind === "refused") observations.push(asRefusal(resolution.refusal));
    }
  }
  const { callbacks, refusals: ofCallbacks } = callbacksOf(units);
  const { states, refusals: ofStates } = statesOf(units);
  observations.push(...ofCallbacks, ...ofStates, ...states.map(stateRemark));
  const replace = request.replace ?? false;
  if (replace) observations.push(REPLACES);
  if (runtime.core) observations.push(coreNeeded(runtime.why));
  if (observations.some(({ severity }) => severity === "unsafe")) return { observations };

  const runtimeUnit = { unit: "hotpatch runtime", object: "vmlinux", orig: runtime.entry };
  const entry = await linkUnit(symbols, runtimeUnit, runtime.entry, defined);
  if (entry.refusals.length > 0)
    throw new Fault("lacking", `${profile.id} cannot load hot patches: ${entry.refusals[0]?.message}`);
  for (const [name, exported] of entry.exports) used.set(name, exported);
  for (const { carried } of [{ carried: runtime.entry }, ...units])
    for (const { name } of carried.symbols) {
      const exported = ofCore.get(name);
      if (exported) used.set(name, exported);
    }
  const layoutVersion = symbols.exports.get("module_layout");
  if (layoutVersion) used.set("module_layout", layoutVersion);

  const model = await symbols.anyModule();
  const disagreements = versionDisagreements(used, model, runtime.layout);
  if (disagreements.length > 0) return { observations: [...observations, ...disagreements] };

  const ordered = redirects.toSorted((a, b) => compare(a.object, b.object) || compare(a.name, b.name));
  const contents = { redirects: ordered, callbacks, states, replace };
  const tables =
    runtime.backend === "ftrace"
      ? ftraceTables(runtime.entry, contents, late)
      : livepatchTables(runtime.entry, runtime.layout, contents);
  const joined = joinObjects([runtime.entry, tables, ...units.map(({ carried }) => carried)]);
  nameModule(joined, request.name, layoutOf(runtime.layout, "struct module.name"));
  const namespaces = [...used.values()]
    .map(({ namespace }) => namespace)
    .filter((namespace) => namespace !== "");
  joined.sections.push(modinfoSection(model, request.name, namespaces, runtime.backend));
  joined.sections.push(...linkerSections(model, joined));
  const versions = versionsSection(used, runtime.layout, joined.littleEndian);
  if (versions) joined.sections.push(versions);

  await writeFile(request.path, writeElf(joined));
  if (request.signing) await signModule(work, profile, request.path, request.signing);
  const bytes = await readFile(request.path);
  const module: PatchModule = {
    path: request.path,
    sha256: createHash("sha256").update(bytes).digest("hex"),
    name: request.name,
    backend: runtime.backend,
    ...(runtime.core && { core: runtime.core.path }),
    objects: [...new Set([...ordered, ...callbacks].map(({ object }) => object))].sort(),
    functions: ordered.map(({ object, name, sympos }) => ({ object, name, sympos })),
    callbacks: callbacks.map(({ object, kind, handler }) => ({ object, kind, name: handler.name })),
    states,
    replace,
  };
  return { module, observations };
}

const REPLACES: Observation = {
  rule: "atomic-replace",
  message: "once loaded, it takes the place of all hot patches loaded before it",
};

function stateRemark({ id, version }: SystemState): Observation {
  return {
    rule: "system-state",
    message: `the patch changes system state ${id}, version ${version}: patches that do not know it cannot replace this one`,
  };
}

function coreNeeded(why: string): Observation {
  return { rule: "core-needed", message: `the patch needs hotpatch_core.ko: ${why}` };
}

function asRefusal(observation: Observation): Observation {
  return { severity: "unsafe", ...observation };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The code as objtool leaves it: unwind data, return and call sites are made for what is carried, and only for that. */
async function afterObjtool(
  work: Work,
  profile: KernelProfile,
  carriedUnit: CarriedUnit,
  outside: string,
): Promise<ElfObject> {
  const { carried, objtool, unit } = carriedUnit;
  keepCallable(carriedUnit);
  // Linking changes what it is given, and diff.o is shown to people as it was.
  if (objtool === undefined) return readElf(writeElf(carried));
  const folder = await mkdtemp(join(outside, "objtool-"));
  try {
    const path = join(folder, "diff.o");
    await writeFile(path, writeElf(carried));
    const confinement = { readable: foldersOf(profile), writable: folder };
    await runConfinedOk(work, [...objtool, path], confinement, {
      cwd: profile.build,
      deadline: 120,
      failure: { code: "defect", message: `objtool rejects the code carried from ${unit}` },
    });
    return readElf(await readFile(path));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function globalDefinitions({ symbols }: ElfObject): string[] {
  return symbols
    .filter(({ binding, section }) => binding !== SymbolBinding.LOCAL && typeof section === "object")
    .map(({ name }) => name);
}

/** What the module loader of arm64 fills and the linker script makes (arch/arm64/include/asm/module.lds.h). */
const FROM_LINKER_SCRIPT = /^(\.init)?(\.plt|\.text\.ftrace_trampoline)$/;

/** Such sections as the kernel's own modules have them and the patch does not. */
function linkerSections(model: ElfObject, { sections }: ElfObject): ElfSection[] {
  return model.sections
    .filter(({ name }) => FROM_LINKER_SCRIPT.test(name) && !sections.some((other) => other.name === name))
    .map((section) => ({ ...section, relocations: [], otherRelocations: [] }));
}

/** Writes the module's name into `struct module`, as modpost would have done. */
function nameModule({ sections }: ElfObject, name: string, at: number): void {
  const section = sections.find((other) => other.name === ".gnu.linkonce.this_module");
  if (section === undefined) throw new Fault("defect", "the runtime has no struct module");
  section.data.set(new TextEncoder().encode(`${name}\0`), at);
}
