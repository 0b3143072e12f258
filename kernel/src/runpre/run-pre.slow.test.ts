import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTwoFilesPatch } from "diff";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { BuildResult } from "../build/build.js";
import { buildPatch } from "../build/build-patch.js";
import { objectOf } from "../build/compile-command.js";
import { originalsOf } from "../build/originals.js";
import { preObjects } from "../build/pre-object.js";
import { SymbolType } from "../elf/format.js";
import { readElf } from "../elf/read.js";
import { defaultCache, type Work } from "../host/work.js";
import { kernelSymbols } from "../module/kernel-symbols.js";
import { listDebianKernels, resolveDebianKernel } from "../profile/debian.js";
import type { Arch, KernelProfile } from "../profile/profile.js";
import { addProfile } from "../profile/store.js";
import { linkedKernel } from "./linked-kernel.js";
import { type RunPre, runPre } from "./run-pre.js";

/** Stock kernels, whose images were built on other machines. */
const work: Work = { signal: new AbortController().signal, cache: defaultCache(), progress: () => undefined };
const MINUTES = 60_000;
let top: string;
beforeAll(async () => {
  top = await mkdtemp(join(tmpdir(), "run-pre-"));
});
afterAll(() => rm(top, { recursive: true, force: true }));

/** All functions of units but those that are gone when the kernel has booted. */
async function matchUnits(profile: KernelProfile, units: readonly string[]): Promise<RunPre> {
  const originals = await originalsOf(work, profile, units);
  const symbols = await kernelSymbols(work, profile);
  const vmlinux = linkedKernel(work, profile, await symbols.table("vmlinux"));
  const pres = preObjects(work, profile);
  const all = [...originals].map(([unit, original]) => {
    const orig = readElf(original.object);
    const changed = orig.symbols
      .filter(({ type, section, name }) => {
        const isCode = type === SymbolType.FUNCTION && typeof section === "object";
        return isCode && !/^\.(?:init|exit)\./.test(section.name) && !name.endsWith(".cold");
      })
      .map(({ name }) => name);
    return { unit, object: objectOf(original.compile), orig, changed, pre: () => pres.of(unit, original) };
  });
  return runPre(work, profile, symbols, vmlinux, all, top);
}

function shareOf({ functions }: RunPre, what: string): number {
  const matched = functions.filter(({ outcome }) => outcome === "matched").length;
  const rest = functions.filter(({ outcome }) => outcome !== "matched");
  const lines = rest
    .slice(0, 20)
    .map(({ unit, name, outcome, reason }) => `  ${unit}: ${name}: ${outcome}: ${reason}`);
  console.log([`${what}: ${matched} of ${functions.length} functions match`, ...lines].join("\n"));
  expect(functions.length).toBeGreaterThanOrEqual(60);
  return matched / functions.length;
}

/** Each part of the image or of a module; `npm run eval -- objects` goes through many more. */
const UNITS: Readonly<Record<Arch, readonly string[]>> = {
  x86_64: ["fs/proc/meminfo.c", "kernel/signal.c", "net/ipv4/tcp_input.c", "fs/ext4/inode.c"],
  arm64: ["kernel/signal.c", "lib/xarray.c"],
};

test(
  "what the stock amd64 kernel runs is what its source compiles to here",
  async () => {
    const profile = await addProfile(work, "debian/latest-amd64");
    // All but weak functions that another file defines.
    expect(shareOf(await matchUnits(profile, UNITS.x86_64), profile.id)).toBeGreaterThanOrEqual(0.99);
  },
  30 * MINUTES,
);

test(
  "the stock arm64 kernel matches as far as the compiler is the one that built it",
  async () => {
    const profile = await addProfile(work, "debian/latest-arm64");
    const run = await matchUnits(profile, UNITS.arm64);
    const share = shareOf(
      run,
      `${profile.id}, built with '${profile.compiler.builtWith}', here '${profile.compiler.version}'`,
    );
    const [here, there] = [profile.compiler.version, profile.compiler.builtWith].map((line) =>
      line.replace(/^\S+ /, ""),
    );
    if (here === there) expect(share).toBeGreaterThanOrEqual(0.99);
    // Debian's cross compiler lacks a fix that changes how arm64 functions lay out their stack (CVE-2023-4039): functions
    // without a frame are the same, all others are not, and it must be seen.
    else {
      expect(run.functions.filter(({ outcome }) => outcome === "matched").length).toBeGreaterThanOrEqual(60);
      expect(run.observations.map(({ rule }) => rule)).toContain("run-pre-mismatch");
    }
  },
  30 * MINUTES,
);

test(
  "an image of another version is found out, and no module is made for it",
  async () => {
    const latest = await resolveDebianKernel(work, "debian/latest-amd64");
    const release = ({ sourceVersion }: typeof latest) => sourceVersion.replace(/-[^-]*$/, "");
    const before = (await listDebianKernels(work, "x86_64")).find(
      (kernel) => kernel.sourcePackage === latest.sourcePackage && release(kernel) !== release(latest),
    );
    expect(before, "the archive has another release").toBeDefined();
    const [newer, older] = [await addProfile(work, latest.id), await addProfile(work, before?.id ?? "")];
    const { image, symbolTable, modules } = newer;
    const mixed: KernelProfile = { ...older, image, symbolTable, modules };
    const built = await firstCarried(mixed, older, newer);
    expect(built.runPre?.map(({ outcome }) => outcome)).toContain("mismatch");
    expect(built.module).toBeUndefined();
    const mismatch = built.observations.find(({ rule }) => rule === "run-pre-mismatch");
    expect(mismatch?.detail).toMatch(/compiled here:\n(.*\n)*> .*\n(.*\n)*in the kernel:\n(.*\n)*> /);
    const written = await readdir(join(top, "out/objects"), { recursive: true });
    expect(written.filter((name) => name.endsWith(".run-pre.txt"))).toHaveLength(1);
  },
  30 * MINUTES,
);

/** A file's difference between two versions, as a patch of the older: the first that becomes a module there. */
async function firstCarried(
  mixed: KernelProfile,
  older: KernelProfile,
  newer: KernelProfile,
): Promise<BuildResult> {
  const names = (await readdir(join(older.source, "kernel"))).filter((name) => name.endsWith(".c")).sort();
  for (const path of names.map((name) => `kernel/${name}`)) {
    if (!existsSync(join(newer.source, path))) continue;
    const [a, b] = await Promise.all(
      [older, newer].map(({ source }) => readFile(join(source, path), "latin1")),
    );
    if (a === undefined || b === undefined || a === b) continue;
    const text = createTwoFilesPatch(`a/${path}`, `b/${path}`, a, b).replace(/^=+\n/, "");
    const patches = [{ name: "difference.patch", text: Buffer.from(text, "latin1") }];
    const built = await buildPatch(work, mixed, { patches, outputDir: join(top, "out") });
    if (built.runPre) return built;
  }
  throw new Error("no file of kernel/ differs in a way that can be carried");
}
