import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BuildResult } from "@kernel-hotpatch/kernel/build/build";
import { buildPatch } from "@kernel-hotpatch/kernel/build/build-patch";
import { buildCache } from "@kernel-hotpatch/kernel/build/originals";
import type { FileChange } from "@kernel-hotpatch/kernel/build/patch-files";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import type { Observation } from "@kernel-hotpatch/kernel/observation";
import { takePrints } from "@kernel-hotpatch/kernel/profile/file-prints";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import type { MatchedFunction } from "@kernel-hotpatch/kernel/runpre/run-pre";
import { patchOf } from "./patch-texts.js";

/** Files of the newer source, one patch for the older kernel. */
export interface EvalPatch {
  /** Tells it from all others; of letters, digits, `-` and `_`. */
  readonly id: string;
  readonly files: readonly FileChange[];
}

/** What the build made of a patch. */
export interface BuiltPatch {
  readonly id: string;
  readonly files: readonly string[];
  readonly outcome: "carried" | "refused" | "unchanged" | "does-not-compile" | "failed";
  /** What stands in the way; of a failure its message. */
  readonly reasons: readonly Reason[];
  readonly module?: BuildResult["module"] & object;
  /** Functions held against the kernel's own code. */
  readonly runPre?: readonly MatchedFunction[];
}

export interface Reason {
  readonly rule: string;
  readonly symbol?: string;
  readonly message: string;
  readonly file?: string;
  readonly detail?: string;
}

/** A header may bring dozens of units along, each compiled up to three times. */
const BUILD_SECONDS = 3600;

/** Builds patches, once for each state of our code: what came of it is kept. */
export interface Builder {
  build(patch: EvalPatch): Promise<BuiltPatch>;
  /** Builds it in a place of its own, whatever is known. @returns the module's SHA-256; undefined when there is none */
  buildAgain(patch: EvalPatch): Promise<string | undefined>;
}

/** @throws Fault as `buildPatch`, for what is not about a patch */
export async function openBuilder(work: Work, profile: KernelProfile): Promise<Builder> {
  const state = createHash("sha256").update(basename(await buildCache(work, profile)));
  for (const folder of ["dist", "runtime"])
    for (const [path, print] of await takePrints(work, KERNEL_ROOM, folder))
      if (!/\.(?:map|d\.ts)$|\.test\.|^runtime\/guest\//.test(path)) state.update(`${path} ${print}\n`);
  const version = state.digest("hex").slice(0, 16);
  const kept = join(work.cache, "eval", "objects", version);
  await mkdir(kept, { recursive: true });

  async function made(patch: EvalPatch, outputDir: string): Promise<BuiltPatch> {
    const sources = await mkdtemp(join(tmpdir(), "hotpatch-eval-"));
    const late = AbortSignal.timeout(BUILD_SECONDS * 1000);
    const bounded = { ...work, signal: AbortSignal.any([work.signal, late]) };
    try {
      const text = await patchOf(work, patch.files, sources);
      const patches = [{ name: `${patch.id}.patch`, text }];
      return { ...described(await buildPatch(bounded, profile, { patches, outputDir })), ...named(patch) };
    } catch (error) {
      if (work.signal.aborted) throw error;
      const isLate = error instanceof Fault && error.code === "interrupted";
      const words = error instanceof Error ? error.message : String(error);
      const message = isLate ? `not built within ${BUILD_SECONDS} s` : words;
      const detail = error instanceof Error ? (error.stack ?? "") : "";
      return { ...named(patch), outcome: "failed", reasons: [{ rule: "failed", message, detail }] };
    } finally {
      await rm(sources, { recursive: true, force: true });
    }
  }

  return {
    async build(patch) {
      const hash = createHash("sha256");
      for (const { path, before, after } of patch.files)
        for (const side of [before, after])
          hash.update(`${path} ${side?.length ?? "none"}\n`).update(side ?? "");
      const folder = join(kept, hash.digest("hex").slice(0, 24));
      const answer = join(folder, "result.json");
      if (existsSync(answer)) return { ...JSON.parse(await readFile(answer, "utf8")), ...named(patch) };
      await rm(folder, { recursive: true, force: true });
      const result = await made(patch, folder);
      // It may be the machine's fault.
      if (result.outcome === "failed") return result;
      const aside = join(kept, randomUUID());
      await writeFile(aside, JSON.stringify(result));
      await mkdir(folder, { recursive: true });
      await rename(aside, answer);
      return result;
    },
    async buildAgain(patch) {
      const folder = await mkdtemp(join(tmpdir(), "hotpatch-again-"));
      try {
        return (await made(patch, join(folder, "out"))).module?.sha256;
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

const KERNEL_ROOM = fileURLToPath(new URL("../../../kernel", import.meta.url));

function named({ id, files }: EvalPatch): Pick<BuiltPatch, "id" | "files"> {
  return { id, files: files.map(({ path }) => path) };
}

function described({ objects, observations, module, runPre }: BuildResult): Omit<BuiltPatch, "id" | "files"> {
  const remarks = new Set(objects.flatMap((object) => object.remarks));
  const all = observations.filter((one) => blocks(one) && !remarks.has(one)).map(reasonOf);
  // Units that read the same header say the same of it.
  const key = ({ rule, symbol, file = "", message }: Reason) => `${rule} ${symbol ?? file} ${message}`;
  const reasons = [...new Map(all.map((reason) => [key(reason), reason])).values()];
  const matched = runPre && { runPre };
  if (module) return { outcome: "carried", reasons, module, ...matched };
  const isUncompiled = reasons.some(({ rule }) => rule === "does-not-compile");
  const isUnchanged = objects.every(({ outcome }) => outcome === "unchanged");
  const none = reasons.every(({ rule }) => rule === "no-functional-change");
  const outcome = isUncompiled ? "does-not-compile" : isUnchanged && none ? "unchanged" : "refused";
  return { outcome, reasons, ...matched };
}

/** Whether an observation stands in the way, as the build has it (`blocks` of kernel/src/build/build-patch.ts). */
export function blocks({ severity }: Observation): boolean {
  return (severity ?? "unsafe") === "unsafe";
}

/** A patch of which the build is known to refuse something, whatever its objects hold. */
export function refusedUnbuilt(patch: EvalPatch, blocking: readonly Observation[]): BuiltPatch {
  return { ...named(patch), outcome: "refused", reasons: blocking.map(reasonOf) };
}

function reasonOf({ rule, symbol, message, file, detail }: Observation): Reason {
  return {
    rule,
    message,
    ...(symbol !== undefined && { symbol }),
    ...(file !== undefined && { file }),
    ...(detail !== undefined && { detail }),
  };
}
