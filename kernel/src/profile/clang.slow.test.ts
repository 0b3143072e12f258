import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTwoFilesPatch } from "diff";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildPatch } from "../build/build-patch.js";
import { removeBuildCache } from "../build/originals.js";
import { runOk } from "../host/run.js";
import { defaultCache, type Work } from "../host/work.js";
import { prepareBuild } from "./prepare.js";
import type { KernelProfile } from "./profile.js";
import { addProfile, listProfiles } from "./store.js";

/** A stock kernel as if Clang had built it: its source and configuration, prepared and compiled by the Clang that is here. */
const work: Work = { signal: new AbortController().signal, cache: defaultCache(), progress: () => undefined };
let top: string;
let profile: KernelProfile;

beforeAll(async () => {
  const added = (await listProfiles(work.cache)).filter(({ arch }) => arch === "x86_64");
  const stock = added.at(-1) ?? (await addProfile(work, "debian/latest-amd64"));
  top = await realpath(await mkdtemp(join(tmpdir(), "clang-")));
  const [first = ""] = (await runOk(work, ["clang", "--version"])).split("\n");
  const major = /version (\d+)/.exec(first)?.[1] ?? "";
  // As Kconfig writes them (init/Kconfig, CC_IS_CLANG and what follows).
  const config = (await readFile(stock.config, "utf8"))
    .replace(/^CONFIG_CC_VERSION_TEXT=.*$/m, `CONFIG_CC_VERSION_TEXT="${first}"`)
    .replace(/^CONFIG_CC_IS_GCC=y$/m, "CONFIG_CC_IS_CLANG=y")
    .replace(/^CONFIG_GCC_VERSION=.*$/m, "CONFIG_GCC_VERSION=0")
    .replace(/^CONFIG_CLANG_VERSION=.*$/m, `CONFIG_CLANG_VERSION=${major}0000`);
  const path = join(top, "config");
  await writeFile(path, config);
  await mkdir(join(top, "files"));
  const prepared = await prepareBuild(work, { ...stock, config: path }, join(top, "files"));
  profile = { ...stock, id: "clang", config: path, ...prepared };
}, 900_000);

afterAll(async () => {
  await removeBuildCache(work, profile);
  await rm(top, { recursive: true, force: true });
});

test("a kernel that Clang built is compiled by Clang and compared; that GCC built this image does not go unseen", async () => {
  expect(profile.compiler.command).toMatch(/^clang/);
  const path = "fs/proc/meminfo.c";
  const before = await readFile(join(profile.source, path), "latin1");
  const after = before.replace(/^\tarch_report_meminfo\(m\);\n/m, '$&\tseq_puts(m, "clang\\n");\n');
  const text = Buffer.from(createTwoFilesPatch(`a/${path}`, `b/${path}`, before, after).replace(/^=+\n/, ""));
  const patches = [{ name: "clang.patch", text }];
  const built = await buildPatch(work, profile, { patches, outputDir: join(top, "out") });
  expect(built.objects).toMatchObject([{ outcome: "carried", changed: ["meminfo_proc_show"] }]);
  const rules = built.observations.map(({ rule, symbol }) => `${rule} ${symbol}`);
  expect(rules).toContain("run-pre-mismatch meminfo_proc_show");
}, 600_000);
