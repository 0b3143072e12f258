// `npm run bench -- check`: what the source witness costs: a small patch, a large one, a keystroke.
import { createWriteStream } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { listDebianKernels, resolveDebianKernel } from "@kernel-hotpatch/kernel/profile/debian";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { writeSourceDiff } from "@kernel-hotpatch/kernel/profile/source-diff";
import { addProfile } from "@kernel-hotpatch/kernel/profile/store";
import { EditedFile } from "@kernel-hotpatch/server/change/read-change-set";
import { askRules } from "@kernel-hotpatch/server/review/check-files";
import { loadEngine } from "@kernel-hotpatch/server/syntax/engine";
import { readSource } from "@kernel-hotpatch/server/syntax/source-text";
import { readConditionsOf } from "@kernel-hotpatch/server/tree/conditions";
import { gatherFacts } from "@kernel-hotpatch/server/tree/gather-facts";
import { treeOfProfile } from "@kernel-hotpatch/server/tree/open-tree";
import { percentile } from "./grammar-edits.js";
import { hotpatch, type Measure, median, run, tell, work } from "./measure.js";

const EXAMPLE = fileURLToPath(
  new URL("../../../kernel/examples/meminfo-line/meminfo-line.patch", import.meta.url),
);
const ROUNDS = 7;
const EDITS = 60;
const LINES = 12_000;

const folder = await mkdtemp(join(tmpdir(), "hotpatch-bench-"));
try {
  const [newest, older] = await neighbours();
  const measures = [
    ...(await smallPatch(newest)),
    ...(await largePatch(older, newest)),
    ...(await keystrokes(newest)),
  ];
  process.exitCode = tell(`kernels ${newest.id} and ${older.id}, medians of ${ROUNDS} rounds`, measures)
    ? 0
    : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** The newest stock kernel, and the newest of the upstream release before it. */
async function neighbours(): Promise<[KernelProfile, KernelProfile]> {
  const latest = await resolveDebianKernel(work, "debian/latest-amd64");
  const release = ({ sourceVersion }: typeof latest) => sourceVersion.replace(/-[^-]*$/, "");
  const older = (await listDebianKernels(work, latest.arch)).find(
    (kernel) => kernel.sourcePackage === latest.sourcePackage && release(kernel) !== release(latest),
  );
  if (!older) throw new Fault("lacking", `the archive has one release of ${latest.sourcePackage} only`);
  return [await addProfile(work, latest.id), await addProfile(work, older.id)];
}

async function smallPatch(kernel: KernelProfile): Promise<Measure[]> {
  const check = ["check", EXAMPLE, "--kernel", kernel.id, "--fail-on", "unsafe"];
  await hotpatch(check);
  const [whole, bare]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    bare.push((await run(["-e", "0"])).seconds);
    whole.push((await hotpatch(check)).seconds);
  }
  const floor = `s, whole process (Node alone: ${median(bare).toFixed(2)} s)`;
  return [{ what: "check of a one-function patch, warm", value: median(whole), limit: 0.6, of: floor }];
}

async function largePatch(older: KernelProfile, newest: KernelProfile): Promise<Measure[]> {
  const path = join(folder, "release.patch");
  const file = createWriteStream(path);
  let bytes = 0;
  await writeSourceDiff(work, older, newest, [], (chunk) => {
    bytes += chunk.length;
    file.write(chunk);
  });
  await new Promise((resolve) => file.end(resolve));
  const { seconds, memory } = await hotpatch(["check", path, "--kernel", older.id, "--json"]);
  const of = `(${(bytes / 1e6).toFixed(1)} MB, ${older.origin} to ${newest.origin})`;
  return [
    { what: "check of a whole stable release", value: seconds, limit: 90, of: `s ${of}` },
    { what: "its peak memory", value: memory, limit: 1500, of: "MiB" },
  ];
}

/** Types a character at many places of a core file of about the wanted length, and takes it back; judged each time. */
async function keystrokes(kernel: KernelProfile): Promise<Measure[]> {
  const engine = await loadEngine();
  const tree = await treeOfProfile(kernel, work.cache);
  const { path, text: before } = await longFile(kernel.source);
  const conditions = readConditionsOf(tree);
  const edited = new EditedFile(engine, path, before, conditions);
  let text = before.replace(/^\treturn 0;$/m, "\treturn 1;");
  const [whole, rules]: [number[], number[]] = [[], []];
  const base = text;
  edited.update(text);
  for (let round = 0; round < EDITS; round++) {
    const at = base.indexOf(";\n\t", Math.floor((base.length * ((round * 7919) % EDITS)) / EDITS));
    if (at === -1) continue;
    text = `${base.slice(0, at)}x${base.slice(at)}`;
    const start = performance.now();
    const file = edited.update(text);
    const read = performance.now();
    const changes = { files: [file], changes: file.changes };
    // Looked up in the background when the names that matter change; not at every key.
    const facts = await gatherFacts(work, tree, changes, engine);
    const asked = performance.now();
    askRules(file, changes, facts);
    const end = performance.now();
    rules.push(end - asked);
    whole.push(read - start + end - asked);
    edited.update(base);
  }
  edited.close();
  const of = `ms (${path}, ${text.split("\n").length} lines, median ${percentile(whole, 0.5).toFixed(1)})`;
  return [
    { what: "analysis after one edit, p95", value: percentile(whole, 0.95), limit: 50, of },
    { what: "of that, rules alone, p95", value: percentile(rules, 0.95), limit: 50, of: "ms" },
  ];
}

async function longFile(source: string): Promise<{ path: string; text: string }> {
  let best: { path: string; text: string; off: number } | undefined;
  for (const name of await readdir(join(source, "kernel"), { recursive: true })) {
    if (!name.endsWith(".c")) continue;
    const text = await readSource(join(source, "kernel", name));
    const off = Math.abs(text.split("\n").length - LINES);
    if (!best || off < best.off) best = { path: `kernel/${name}`, text, off };
  }
  if (!best) throw new Fault("bad-input", `${source} has no kernel/*.c`);
  return best;
}
