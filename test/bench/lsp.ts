// `npm run bench -- lsp`: what the language server costs, measured at the protocol, in a whole kernel tree in git.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { compilePatched } from "@kernel-hotpatch/kernel/build/compile";
import { originalsOf } from "@kernel-hotpatch/kernel/build/originals";
import { resolveDebianKernel } from "@kernel-hotpatch/kernel/profile/debian";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { addProfile } from "@kernel-hotpatch/kernel/profile/store";
import type { CodeLens } from "vscode-languageserver/node";
import { type Editor, startEditor } from "../editor.js";
import { gitIn } from "../git.js";
import { percentile } from "./grammar-edits.js";
import { type Measure, median, tell, timed, work } from "./measure.js";

const FILES = ["kernel/sched/core.c", "fs/ext4/super.c"];
const STARTS = 7;
/** Places of a file at which something is typed, and what. */
const PLACES = 8;
const TYPED = "\tif (a) b(c);";
/** Milliseconds between two keys of somebody who types fast. */
const PAUSE = 80;
const [MANY_FILES, MANY_EDITS] = [50, 2000];
const SAVES = 3;

const folder = await mkdtemp(join(tmpdir(), "hotpatch-bench-"));
try {
  const kernel = await addProfile(work, (await resolveDebianKernel(work, "debian/latest-amd64")).id);
  const root = await repositoryOf(kernel);
  const measures = [
    ...(await firstDiagnostics(kernel, root)),
    ...(await keystrokes(kernel, root)),
    ...(await memory(kernel, root)),
    ...(await saves(kernel, root)),
  ];
  const title = `kernel ${kernel.id}, its whole source in a git repository`;
  process.exitCode = tell(title, measures) ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function repositoryOf(kernel: KernelProfile): Promise<string> {
  work.progress("copying the source into a repository");
  const root = join(folder, "linux");
  await cp(kernel.source, root, { recursive: true });
  gitIn(root, "init", "--quiet");
  gitIn(root, "add", "--all", "--force");
  gitIn(root, "commit", "--quiet", "--message", "as it is");
  spawnSync("git", ["status"], { cwd: root });
  return root;
}

async function start(kernel: KernelProfile, root: string, objectWitness = "off"): Promise<Editor> {
  return await startEditor([root], { settings: { kernel: kernel.id, objectWitness } });
}

/** Milliseconds of the processor that a server, or its first thread alone, has used. */
function processor({ server }: Editor, thread = false): number {
  const path = thread ? `/proc/${server.pid}/task/${server.pid}/stat` : `/proc/${server.pid}/stat`;
  // proc(5): fields 14 and 15, in ticks of 10 ms; the second field may hold blanks.
  const fields = readFileSync(path, "latin1").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function status({ server }: Editor, field: "VmRSS" | "VmHWM"): number {
  const text = readFileSync(`/proc/${server.pid}/status`, "latin1");
  return Number(new RegExp(`^${field}:\\s*(\\d+)`, "m").exec(text)?.[1]) / 1024;
}

async function firstDiagnostics(kernel: KernelProfile, root: string): Promise<Measure[]> {
  work.progress("opening a file");
  const path = join(root, "fs/ext4/super.c");
  const text = (await readFile(path, "utf8")).replace(/^\treturn 0;$/m, "\treturn 1;");
  const [seconds, used]: [number[], number[]] = [[], []];
  for (let round = 0; round <= STARTS; round++) {
    const begun = performance.now();
    const editor = await start(kernel, root);
    const uri = await editor.open(path, text);
    await editor.until(uri, (shown) => shown.length > 0);
    // The first round fills what is kept of the tree.
    if (round > 0) seconds.push(performance.now() - begun);
    if (round > 0) used.push(processor(editor));
    else await setTimeout(5000);
    await editor.stop();
  }
  const of = `ms from process start (processor ${median(used).toFixed(0)} ms)`;
  return [{ what: "first diagnostics in a whole tree", value: median(seconds), limit: 700, of }];
}

async function keystrokes(kernel: KernelProfile, root: string): Promise<Measure[]> {
  const measures: Measure[] = [];
  for (const file of FILES) {
    work.progress(`typing in ${file}`);
    const editor = await start(kernel, root);
    const base = await readFile(join(root, file), "utf8");
    const uri = await editor.open(join(root, file));
    await editor.until(uri, () => true);
    const lines = base.split("\n");
    const [waits, used]: [number[], number[]] = [[], []];
    for (let place = 0; place < PLACES; place++) {
      const from = (lines.length * (place + 0.5)) / PLACES;
      const line = lines.findIndex((text, at) => at > from && /^\t.*;$/.test(text));
      let character = lines[line]?.length ?? 0;
      for (const key of TYPED) {
        const at = { line, character: character++ };
        const before = processor(editor, true);
        const begun = performance.now();
        const version = await editor.change(uri, [{ range: { start: at, end: at }, text: key }]);
        await editor.until(uri, () => true, version);
        waits.push(performance.now() - begun);
        await setTimeout(PAUSE);
        used.push(processor(editor, true) - before);
      }
      await setTimeout(1000);
    }
    await editor.stop();
    const mean = used.reduce((sum, value) => sum + value, 0) / used.length;
    const of = `ms (processor ${mean.toFixed(0)} ms a key)`;
    measures.push(
      { what: `keystroke to diagnostics, ${file}, p50`, value: percentile(waits, 0.5), limit: 30, of },
      { what: "p95", value: percentile(waits, 0.95), limit: 80, of: "ms" },
    );
  }
  return measures;
}

async function memory(kernel: KernelProfile, root: string): Promise<Measure[]> {
  work.progress("editing many files");
  const editor = await start(kernel, root);
  const first = await editor.open(join(root, "fs/ext4/super.c"));
  await editor.until(first, () => true);
  await setTimeout(3000);
  const idle = status(editor, "VmRSS");
  const names = (await readdir(join(root, "kernel"), { recursive: true })).filter((name) =>
    name.endsWith(".c"),
  );
  const step = Math.floor(names.length / MANY_FILES);
  const files: { uri: string; text: string }[] = [];
  for (const name of names
    .sort()
    .filter((_, at) => at % step === 0)
    .slice(0, MANY_FILES)) {
    const path = join(root, "kernel", name);
    files.push({ uri: await editor.open(path), text: await readFile(path, "utf8") });
  }
  for (let round = 0; round < MANY_EDITS; round++) {
    const file = files[round % files.length];
    if (!file) continue;
    // A character at another place of a function each time.
    const at = file.text.indexOf(";\n\t", ((round * 7919) % 97) * (file.text.length / 97));
    const text =
      at === -1 ? `${file.text}int x${round};\n` : `${file.text.slice(0, at)} + x${file.text.slice(at)}`;
    await editor.until(file.uri, () => true, await editor.change(file.uri, text));
  }
  await setTimeout(3000);
  const [after, peak] = [status(editor, "VmRSS"), status(editor, "VmHWM")];
  await editor.stop();
  return [
    { what: "memory when idle, a file open", value: idle, limit: 250, of: "MiB" },
    {
      what: `after ${MANY_EDITS} edits over ${files.length} files`,
      value: after,
      limit: 400,
      of: `MiB (peak ${peak.toFixed(0)})`,
    },
  ];
}

async function saves(kernel: KernelProfile, root: string): Promise<Measure[]> {
  work.progress("saving");
  const file = "fs/proc/meminfo.c";
  const path = join(root, file);
  const base = await readFile(path, "utf8");
  const edited = (round: number) =>
    base.replace(/^\tarch_report_meminfo\(m\);\n/m, `$&\tseq_puts(m, "Round ${round}\\n");\n`);
  const originals = await originalsOf(work, kernel, [file]);
  const compiles: number[] = [];
  for (let round = 0; round < SAVES; round++) {
    const copies = join(folder, `compile-${round}`);
    await mkdir(copies);
    const change = { path: file, before: Buffer.from(base), after: Buffer.from(edited(round)) };
    compiles.push(await timed(() => compilePatched(work, kernel, [change], originals, copies)));
  }
  const editor = await start(kernel, root, "onSave");
  const uri = await editor.open(path);
  await editor.until(uri, () => true);
  const waits: number[] = [];
  for (let round = 0; round <= SAVES; round++) {
    await editor.until(uri, () => true, await editor.change(uri, edited(SAVES + round)));
    await setTimeout(1000);
    const begun = performance.now();
    await editor.notify("textDocument/didSave", { textDocument: { uri } });
    for (let shown = false; !shown; await setTimeout(20)) {
      const lenses = await editor.request<CodeLens[]>("textDocument/codeLens", { textDocument: { uri } });
      shown = lenses.some(({ command }) => /carried/.test(command?.title ?? ""));
    }
    if (round > 0) waits.push((performance.now() - begun) / 1000);
  }
  await editor.stop();
  const compile = median(compiles);
  const of = `times the compile (${median(waits).toFixed(2)} s to ${compile.toFixed(2)} s)`;
  return [{ what: "save to object findings", value: median(waits) / compile, limit: 1.3, of }];
}
