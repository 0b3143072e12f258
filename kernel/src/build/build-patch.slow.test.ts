import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTwoFilesPatch } from "diff";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readElf } from "../elf/read.js";
import { defaultCache, type Work } from "../host/work.js";
import type { KernelProfile } from "../profile/profile.js";
import { addProfile, listProfiles } from "../profile/store.js";
import { buildPatch } from "./build-patch.js";
import { compilePatched } from "./compile.js";
import { originalsOf } from "./originals.js";
import { applyPatches, type PatchFile } from "./patch-files.js";

/** Real compiles for a stock kernel: the newest that was added, else Debian's newest, which takes minutes once. */
const work: Work = { signal: new AbortController().signal, cache: defaultCache(), progress: () => undefined };
let profile: KernelProfile;
let top: string;

beforeAll(async () => {
  const added = (await listProfiles(work.cache)).filter(({ arch }) => arch === "x86_64");
  profile = added.at(-1) ?? (await addProfile(work, "debian/latest-amd64"));
  top = await realpath(await mkdtemp(join(tmpdir(), "build-patch-")));
}, 900_000);

afterAll(() => rm(top, { recursive: true, force: true }));

/** A patch that makes one file of the tree what `edit` says. */
async function edited(path: string, edit: (text: string) => string): Promise<PatchFile> {
  const before = await readFile(join(profile.source, path), "latin1");
  const after = edit(before);
  expect(after, `${path} has what the test changes`).not.toBe(before);
  const text = createTwoFilesPatch(`a/${path}`, `b/${path}`, before, after).replace(/^=+\n/, "");
  return { name: "test.patch", text: Buffer.from(text, "latin1") };
}

const meminfo = () => edited("fs/proc/meminfo.c", (text) => text.replace('"MemTotal: ', '"MemTOTAL: '));

function build(outputDir: string, ...patches: PatchFile[]) {
  return buildPatch(work, profile, { patches, outputDir: join(top, outputDir) });
}

/** What stands in the way, as far as this room is the one to say so. */
async function rulesOf(...patches: PatchFile[]) {
  const { observations, module } = await build("out-rules", ...patches);
  expect(module).toBeUndefined();
  return observations.map(({ rule, file, line }) => [rule, file, line].filter(Boolean).join(" "));
}

/** PATCHED.o of each affected unit and its ORIG.o, without the judgement that comes after. */
async function pairs(units: readonly string[], patch: PatchFile) {
  const folder = await mkdtemp(join(top, "pairs-"));
  const copies = await mkdtemp(join(top, "copies-"));
  const changes = await applyPatches(work, profile.source, [patch], copies);
  const originals = await originalsOf(work, profile, units);
  const patched = await compilePatched(work, profile, changes, originals, folder);
  return patched.map(({ unit, object }) => ({ unit, orig: originals.get(unit)?.object, patched: object }));
}

test("a changed line becomes a module with the function that holds it, the same bytes each time", async () => {
  const patch = await meminfo();
  const first = await build("out-1", patch);
  const second = await build("out-2", patch);
  expect(first.objects).toEqual([
    expect.objectContaining({
      orig: "fs/proc/meminfo.o",
      outcome: "carried",
      changed: ["meminfo_proc_show"],
    }),
  ]);
  expect(first.module?.functions).toEqual([{ object: "vmlinux", name: "meminfo_proc_show", sympos: 0 }]);
  expect(first.runPre).toEqual([
    { unit: "fs/proc/meminfo.c", object: "vmlinux", name: "meminfo_proc_show", outcome: "matched" },
  ]);
  expect(first.module?.path).toBe(join(top, "out-1/patch.ko"));
  expect((await readdir(join(top, "out-1"))).sort()).toEqual([
    "objects",
    "patch.ko",
    "patch.provenance.json",
  ]);
  const [one, two] = await Promise.all(
    ["out-1", "out-2"].map((folder) => readFile(join(top, folder, "patch.ko"))),
  );
  expect(one?.equals(two ?? Buffer.alloc(0))).toBe(true);
  expect(second.module?.sha256).toBe(first.module?.sha256);
}, 300_000);

test("a build without a module leaves no earlier module behind", async () => {
  await build("out-3", await meminfo());
  expect(existsSync(join(top, "out-3/patch.ko"))).toBe(true);
  const comment = await edited("fs/proc/meminfo.c", (text) => `/* comment */\n${text}`);
  const { objects, observations, module } = await build("out-3", comment);
  expect(objects.map(({ outcome }) => outcome)).toEqual(["unchanged"]);
  expect(observations.map(({ rule }) => rule)).toEqual(["no-functional-change"]);
  expect(module).toBeUndefined();
  expect(await readdir(join(top, "out-3"))).toEqual([]);
}, 300_000);

test("lines that move change nothing: WARN, BUG and lockdep keep their line numbers", async () => {
  const path = "kernel/workqueue.c";
  const spread = await edited(path, (text) => {
    // After statements: a line inside one moves what comes after it in the same statement.
    let count = 0;
    return text.replace(/[;{}]\n/g, (end) => (count++ % 3 === 0 ? `${end}\n` : end));
  });
  const [pair] = await pairs([path], spread);
  const [orig, patched] = [pair?.orig, pair?.patched].map((object) => contents(object ?? Buffer.alloc(0)));
  expect(orig?.size).toBeGreaterThan(100);
  expect(patched).toEqual(orig);
}, 300_000);

/** A digest of each section's bytes and relocations, debug information left out. */
function contents(object: Uint8Array): Map<string, string> {
  const sections = readElf(object).sections.filter(({ name }) => !name.startsWith(".debug_"));
  return new Map(
    sections.map(({ name, data, relocations }, index) => {
      const targets = relocations.map(({ offset, type, addend, symbol }) => {
        const place = typeof symbol.section === "string" ? symbol.section : symbol.section.name;
        return [offset, type, addend, symbol.name, place, symbol.value].join(" ");
      });
      return [`${index} ${name}`, createHash("sha256").update(data).update(targets.join("\n")).digest("hex")];
    }),
  );
}

test("a C file that others include is compiled as part of them", async () => {
  const patch = await edited("kernel/sched/rt.c", (text) =>
    text.replace("requeue_task_rt(rq, rq->curr, 0);", "requeue_task_rt(rq, rq->curr, 1);"),
  );
  const { objects } = await build("out-rt", patch);
  expect(objects.map(({ orig }) => orig)).toEqual(["kernel/sched/build_policy.o"]);
  expect(objects[0]?.changed).toContain("yield_task_rt");
}, 300_000);

test("a changed header is compiled into the units that read it", async () => {
  const patch = await edited("fs/ext4/mballoc.h", (text) =>
    text.replace(/#define MB_DEFAULT_MAX_TO_SCAN\s+200/, "#define MB_DEFAULT_MAX_TO_SCAN 201"),
  );
  const { objects } = await build("out-header", patch);
  expect(objects.map(({ orig, outcome }) => [orig, outcome])).toContainEqual([
    "fs/ext4/mballoc.o",
    "carried",
  ]);
}, 600_000);

test("the compiler's words stand at their lines, all of them, shifted by nothing of ours", async () => {
  const patch = await edited("fs/proc/meminfo.c", (text) =>
    `\n\n\n${text}`.replace("i.totalram)", "i.totallram)").replace("i.freeram)", "i.freerram)"),
  );
  const changed = `\n\n\n${await readFile(join(profile.source, "fs/proc/meminfo.c"), "latin1")}`.split("\n");
  const at = (word: string) => 1 + changed.findIndex((line) => line.includes(word));
  expect(await rulesOf(patch)).toEqual([
    `does-not-compile fs/proc/meminfo.c ${at("i.totalram)")}`,
    `does-not-compile fs/proc/meminfo.c ${at("i.freeram)")}`,
  ]);
}, 300_000);

test("what C cannot carry is refused, everything at once", async () => {
  expect(
    await rulesOf(
      await edited("fs/proc/Makefile", (text) => `# comment\n${text}`),
      await edited("arch/x86/entry/entry_64.S", (text) => `/* comment */\n${text}`),
      await edited("include/linux/sched.h", (text) => `#pragma pack(8)\n${text}`),
    ),
  ).toEqual([
    "assembly-changed arch/x86/entry/entry_64.S",
    "build-input-changed fs/proc/Makefile",
    "header-fan-out include/linux/sched.h",
  ]);
}, 300_000);

test("a header's change that nobody can notice changes nothing, however many include it", async () => {
  const patch = await edited(
    "include/linux/sched.h",
    (text) => `/* comment */\n#define NOBODYS_NAME 1\n${text}`,
  );
  const { observations } = await build("out-unnoticed", patch);
  expect(observations).toMatchObject([
    { rule: "no-functional-change", severity: "info", file: "include/linux/sched.h" },
    { rule: "no-functional-change", message: expect.stringMatching(/touches no C code/) },
  ]);
}, 300_000);

test("a type of a header changes, and no compiled file shows how it is laid out now", async () => {
  const patch = await edited("include/linux/bpf.h", (text) =>
    text.replace("struct bpf_func_proto {", "struct bpf_func_proto {\n\tint nobodys_name;"),
  );
  const { observations } = await build("out-unproven", patch);
  expect(observations.find(({ rule }) => rule === "header-fan-out")).toMatchObject({
    symbol: "struct bpf_func_proto",
    file: "include/linux/bpf.h",
    severity: "unsafe",
  });
}, 300_000);

test("a file that this kernel is not made of is refused with the option that is off", async () => {
  const { observations } = await build(
    "out-off",
    await edited("fs/proc/nommu.c", (text) => `/* comment */\n${text}`),
  );
  expect(observations.map(({ rule, file }) => [rule, file])).toEqual([["not-built", "fs/proc/nommu.c"]]);
}, 300_000);

test.each([
  ["includes a header of the machine", '#include "/usr/include/linux/types.h"'],
  ["includes it by a long way", `#include "${"../".repeat(30)}usr/include/linux/types.h"`],
  ["has the assembler read it", 'asm(".section .rodata; .incbin \\"/usr/include/linux/types.h\\"");'],
])(
  "a patch that %s is refused",
  async (_, line) => {
    const patch = await edited("fs/proc/meminfo.c", (text) => `${text}\n${line}\n`);
    await expect(build("out-reads", patch)).rejects.toThrow(/reads \/usr\/\S+, which is not the kernel's/);
    expect(existsSync(join(top, "out-reads"))).toBe(false);
  },
  300_000,
);

test("a patch that would fill the disk is stopped", async () => {
  const patch = await edited("fs/proc/meminfo.c", (text) => `${text}\nasm(".data; .fill 0x7fffffffff");\n`);
  expect(await rulesOf(patch)).toEqual(["does-not-compile fs/proc/meminfo.c"]);
}, 300_000);

test("an output folder in the kernel's own tree is refused", async () => {
  const request = { patches: [await meminfo()], outputDir: join(profile.source, "out") };
  await expect(buildPatch(work, profile, request)).rejects.toThrow(/inside the kernel's own/);
});

test("killed at any moment, then two builds at once: the result is that of an undisturbed build", async () => {
  const expected = (await build("out-undisturbed", await meminfo())).module?.sha256;
  const cache = join(top, "cache");
  const patch = join(top, "killed.patch");
  await writeFile(patch, (await meminfo()).text);
  for (const step of [
    /^copying/m,
    /^compiling .* unpatched/m,
    /^compiling .* unpatched/m,
    /^compiling .* patched/m,
  ])
    await killedAt(step, cache, patch);
  // Half of what a killed writer may leave, in the places where it would be trusted.
  const [store = ""] = await readdir(join(cache, "build"));
  const units = join(cache, "build", store, "units/fs/proc");
  if (existsSync(units)) await writeFile(join(units, "meminfo.c.o"), "half");

  const fresh = { ...work, cache };
  const request = async (outputDir: string) => ({
    patches: [await meminfo()],
    outputDir: join(top, outputDir),
  });
  const built = await Promise.all([
    buildPatch(fresh, profile, await request("out-a")),
    buildPatch(fresh, profile, await request("out-b")),
  ]);
  expect(built.map(({ module }) => module?.sha256)).toEqual([expected, expected]);
}, 600_000);

/** Runs a build in a process of its own (of what `tsc -b` made) and kills it a moment after it says that it is there. */
async function killedAt(step: RegExp, cache: string, patch: string): Promise<void> {
  const compiled = new URL("../../dist/build/build-patch.js", import.meta.url);
  expect(existsSync(compiled), "kernel/dist is there: run 'npx tsc -b' first").toBe(true);
  const script = `
    import { readFile } from "node:fs/promises";
    import { buildPatch } from ${JSON.stringify(compiled)};
    const [cache, profile, patch, outputDir] = process.argv.slice(1);
    const work = { signal: new AbortController().signal, cache, progress: (step) => console.log(step) };
    const patches = [{ name: "test.patch", text: await readFile(patch) }];
    await buildPatch(work, JSON.parse(profile), { patches, outputDir });
    console.log("done");
  `;
  const argv = [
    "--input-type=module",
    "-e",
    script,
    cache,
    JSON.stringify(profile),
    patch,
    join(top, "out-killed"),
  ];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  await new Promise<void>((resolve) => {
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk;
      if (step.test(said)) setTimeout(resolve, 300);
    });
    child.once("close", () => resolve());
  });
  const closed = child.exitCode === null ? once(child, "close") : undefined;
  child.kill("SIGKILL");
  await closed;
}
