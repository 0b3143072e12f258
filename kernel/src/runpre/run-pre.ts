import { readElf } from "../elf/read.js";
import { Fault } from "../host/fault.js";
import { checkpoint, type Work } from "../host/work.js";
import type { KernelSymbols } from "../module/kernel-symbols.js";
import { resolveInObject, type UnitObject } from "../module/resolve.js";
import { architectureOf } from "../objdiff/architecture.js";
import type { Observation } from "../observation.js";
import type { KernelProfile } from "../profile/profile.js";
import { type Disassemblies, disassemble } from "./disassembly.js";
import type { KernelCode } from "./kernel-code.js";
import { type Match, matchFunction, openUnit, type Unit } from "./match-function.js";
import { moduleCode } from "./module-code.js";

/** Whether a function that is to be replaced is, in the kernel, what its source compiles to. */
export interface MatchedFunction {
  readonly unit: string;
  /** `vmlinux` or the module's name. */
  readonly object: string;
  readonly name: string;
  readonly outcome: "matched" | "mismatch" | "unknown";
  /** Absent when it matched. */
  readonly reason?: string;
}

/** A unit with functions to be replaced. */
export interface PreUnit extends UnitObject {
  /** Names in ORIG.o. */
  readonly changed: readonly string[];
  /** PRE.o: the unit compiled exactly as the kernel was. */
  readonly pre: () => Promise<Uint8Array>;
}

export interface RunPre {
  readonly functions: readonly MatchedFunction[];
  readonly observations: readonly Observation[];
  /** Of all functions that do not match, whole, by unit. */
  readonly disassemblies: ReadonlyMap<string, string>;
}

/**
 * Compares every function that is to be replaced with the code in the profile's image or module, as it stands in its
 * file: run-pre matching, as Ksplice had it (Arnold and Kaashoek, "Ksplice: Automatic Rebootless Kernel Updates", 4.3).
 * That the very kernel was compiled that is running, by the same compiler, is thereby proven instead of assumed.
 * @param vmlinux as `linkedKernel` gives it; its failure makes vmlinux's functions unknown
 * @param folder for files on the way
 */
export async function runPre(
  work: Work,
  profile: KernelProfile,
  symbols: KernelSymbols,
  vmlinux: Promise<KernelCode>,
  units: readonly PreUnit[],
  folder: string,
): Promise<RunPre> {
  const functions: MatchedFunction[] = [];
  const observations: Observation[] = [];
  const disassemblies = new Map<string, string>();
  for (const unit of units) {
    if (unit.changed.length === 0) continue;
    checkpoint(work);
    work.progress(`comparing ${unit.unit} with ${unit.object === "vmlinux" ? "the image" : unit.object}`);
    const opened = await openPreUnit(symbols, vmlinux, unit);
    for (const name of unit.changed) {
      const match: Match =
        typeof opened === "string"
          ? { outcome: "unknown", reason: opened }
          : await matchResolved(symbols, opened.unit, unit, name);
      functions.push(told(unit, name, match));
      if (match.outcome === "matched") continue;
      const shown =
        match.outcome === "mismatch" && typeof opened === "object"
          ? await disassembled(work, profile, opened, match, folder)
          : undefined;
      if (shown) disassemblies.set(unit.unit, (disassemblies.get(unit.unit) ?? "") + whole(name, shown));
      observations.push(observed(unit, name, match, shown));
    }
  }
  return { functions, observations, disassemblies };
}

interface OpenedUnit {
  readonly unit: Unit;
  /** PRE.o as a file. */
  readonly bytes: Uint8Array;
}

/** @returns the reason when there is nothing to compare with */
async function openPreUnit(
  symbols: KernelSymbols,
  vmlinux: Promise<KernelCode>,
  { object: name, pre }: PreUnit,
): Promise<OpenedUnit | string> {
  const bytes = await pre();
  const object = readElf(bytes);
  const architecture = architectureOf(object);
  if (!architecture) throw new Fault("defect", `compiled for the unknown machine ${object.machine}`);
  try {
    const code =
      name === "vmlinux"
        ? await vmlinux
        : moduleCode(name, await symbols.module(name), await symbols.table(name));
    return { unit: openUnit(object, architecture, code), bytes };
  } catch (error) {
    // Such as a program that unpacks it and is not installed.
    if (error instanceof Fault && (error.code === "bad-input" || error.code === "lacking"))
      return error.message;
    throw error;
  }
}

/** The function is looked at where the patch is going to redirect it. */
async function matchResolved(
  symbols: KernelSymbols,
  opened: Unit,
  unit: PreUnit,
  name: string,
): Promise<Match> {
  const resolution = await resolveInObject(symbols, unit, name);
  if (resolution.kind !== "livepatch")
    return {
      outcome: "unknown",
      reason: resolution.kind === "refused" ? resolution.refusal.message : "it is not in the symbol table",
    };
  const listed = opened.code.symbols(name)[Math.max(resolution.sympos - 1, 0)];
  if (!listed) return { outcome: "unknown", reason: "it is not in the symbol table" };
  return matchFunction(opened, name, listed.place);
}

function told({ unit, object }: PreUnit, name: string, match: Match): MatchedFunction {
  const { outcome } = match;
  return { unit, object, name, outcome, ...(match.outcome !== "matched" && { reason: match.reason }) };
}

function observed(
  { unit, object }: PreUnit,
  name: string,
  match: Exclude<Match, { outcome: "matched" }>,
  shown: Disassemblies | undefined,
): Observation {
  const where = object === "vmlinux" ? "the image" : `module '${object}'`;
  const about = { symbol: name, file: unit };
  if (match.outcome === "unknown")
    return {
      ...about,
      rule: "run-pre-unknown",
      severity: "needs-review",
      message: `'${name}' could not be compared with ${where}: ${match.reason}`,
    };
  const part = match.part.name === name ? "" : ` (in its part '${match.part.name}')`;
  return {
    ...about,
    rule: "run-pre-mismatch",
    message: `'${name}' in ${where} is not what its source compiles to here: ${match.reason}${part}`,
    ...(shown && { detail: around(shown) }),
  };
}

async function disassembled(
  work: Work,
  { makeVariables }: KernelProfile,
  { unit, bytes }: OpenedUnit,
  { part, place, offset }: Extract<Match, { outcome: "mismatch" }>,
  folder: string,
): Promise<Disassemblies | undefined> {
  const running = unit.code.bytes(place, part.size);
  if (!running) return undefined;
  const shown = disassemble(
    work,
    `${makeVariables.CROSS_COMPILE ?? ""}objdump`,
    { bytes, machine: unit.pre.machine, symbol: part, section: part.section },
    { bytes: running, address: place.offset },
    offset,
    folder,
  );
  return shown.catch((error) => {
    // The finding stands without the picture.
    if (error instanceof Fault && error.code === "lacking") return undefined;
    throw error;
  });
}

const CONTEXT = 4;

/** What stands around the first difference, in both. */
function around({ compiled, running, differs }: Disassemblies): string {
  const part = (lines: readonly string[], at: number) =>
    lines
      .map((line, index) => `${index === at ? ">" : " "} ${line.trim()}`)
      .slice(Math.max(at - CONTEXT, 0), at + CONTEXT + 1);
  return [
    "compiled here:",
    ...part(compiled, differs.compiled),
    "in the kernel:",
    ...part(running, differs.running),
  ].join("\n");
}

function whole(name: string, { compiled, running }: Disassemblies): string {
  return [`${name}, compiled here:`, ...compiled, `${name}, in the kernel:`, ...running, "", ""].join("\n");
}
