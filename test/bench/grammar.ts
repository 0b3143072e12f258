// `npm run bench -- grammar [--tree DIR] [--whole] [--objects DIR] [--read] [--offenders]`: what the grammar of kernel C
// reads, beside plain tree-sitter-c in the same run. Without --tree the source of debian/latest-amd64 is used, with
// --whole all of it. With --objects, a build folder with compiled objects of that tree, the trees are held against what
// the compiler says. --read leaves out the times of edits and hostile input. Bars of time are judged by the processor's
// time, which other work on the machine does not stretch; the clock's is told beside it.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { defaultCache } from "@kernel-hotpatch/kernel/host/work";
import { addProfile } from "@kernel-hotpatch/kernel/profile/store";
import { loadNativeEngine } from "@kernel-hotpatch/server/syntax/engine";
import { readSource } from "@kernel-hotpatch/server/syntax/source-text";
import { filesUnder } from "./files-under.js";
import { keystrokes, percentile } from "./grammar-edits.js";
import { compareTrees } from "./grammar-equality.js";
import { type FilesResult, measureFiles, type Sum } from "./grammar-files.js";
import { measureHostile } from "./grammar-hostile.js";
import { createParsers } from "./grammar-parsers.js";
import { measureTruth, type Share } from "./grammar-truth.js";

const CORE = ["kernel", "mm", "fs", "net/ipv4", "net/core", "ipc", "block", "security", "lib", "init"];
const GRAMMAR = fileURLToPath(new URL("../../../grammars/", import.meta.url));
const EDITS = 10_000;

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    tree: { type: "string" },
    objects: { type: "string" },
    whole: { type: "boolean", default: false },
    read: { type: "boolean", default: false },
    offenders: { type: "boolean", default: false },
  },
});

let failed = false;
const tree = values.tree ?? (await latestSource());
const parsers = createParsers();
process.stdout.write(`${tree}\n`);

const core = await filesUnder(tree, CORE, /\.[ch]$/);
const measured = await measureFiles(parsers, core);
tellFiles("core", measured, 0.995);
bar(
  "core: bytes in ERROR nodes",
  percent(measured.ours.errorBytes / measured.ours.bytes, 4),
  measured.ours.errorBytes <= measured.ours.bytes / 1e4,
  "<= 0.01 %",
);
const speed = measured.plain.processor / measured.ours.processor;
bar(
  "throughput, times plain",
  `${speed.toFixed(2)} of the processor's time, ${(measured.plain.seconds / measured.ours.seconds).toFixed(2)} by the clock`,
  speed >= 0.9,
  ">= 0.90",
);
// maxRSS is in KiB.
const peak = process.resourceUsage().maxRSS / 1024;
bar("memory at the peak so far", `${peak.toFixed(0)} MiB`, peak <= 1536, "<= 1536 MiB");
if (values.whole) {
  const whole = await measureFiles(parsers, await filesUnder(tree, ["."], /\.[ch]$/));
  tellFiles("whole tree", whole, 0.98);
  bar(
    "whole tree: bytes in ERROR nodes",
    percent(whole.ours.errorBytes / whole.ours.bytes, 4),
    whole.ours.errorBytes <= whole.ours.bytes / 1e4,
    "<= 0.01 %",
  );
}

const equality = await compareTrees(parsers, core);
bar(
  "trees equal to plain's up to the dialect",
  `${equality.same} same + ${equality.dialect} dialect + ${equality.plainWrong} where plain errs of ${equality.files}`,
  equality.other.length === 0,
  "all",
);
for (const { file, line, plain, ours } of equality.other.slice(0, values.offenders ? 1000 : 10)) {
  process.stdout.write(`    ${file}:${line}\n      plain ${plain}\n      ours  ${ours}\n`);
}

if (!values.read) await tellTimes();

await size("src/parser.c", 10e6);
await size("tree-sitter-kernel_c.wasm", 2.5e6);

if (values.objects !== undefined) {
  const objects = (await filesUnder(values.objects, ["."], /(?<!\.mod|built-in|vmlinux)\.o$/)).filter(
    (path) => !/\/(scripts|tools|arch)\//.test(path),
  );
  const truth = await measureTruth(parsers, tree, objects);
  bar("objects compared", String(truth.objects), truth.objects >= 200, ">= 200");
  tellShare("function definitions", truth.functions, 0.999);
  tellShare("lines with code within definitions", truth.lines, 0.999);
  tellShare("members", truth.members, 0.995);
  tellShare("calls", truth.calls, 0.999);
}
process.exitCode = failed ? 1 : 0;

async function tellTimes(): Promise<void> {
  const scheduler = await readSource(join(tree, "kernel/sched/core.c"));
  const engine = await loadNativeEngine();
  const strokes = await keystrokes(engine, scheduler, 500);
  const p95 = percentile(
    strokes.map(({ processor }) => processor),
    0.95,
  );
  const clock = percentile(
    strokes.map(({ wall }) => wall),
    0.95,
  );
  bar(
    "keystroke in kernel/sched/core.c, p95",
    `${p95.toFixed(1)} ms of the processor's time, ${clock.toFixed(1)} ms by the clock`,
    p95 <= 5,
    "<= 5 ms",
  );
  const warm = process.memoryUsage.rss();
  await keystrokes(engine, scheduler, EDITS);
  const grown = (process.memoryUsage.rss() - warm) / 2 ** 20;
  bar(`memory after ${EDITS} edits`, `${grown.toFixed(0)} MiB more`, grown <= 64, "<= 64 MiB");

  for (const { what, value, holds, wanted } of await measureHostile()) bar(what, value, holds, wanted);
}

async function latestSource(): Promise<string> {
  const work = { signal: new AbortController().signal, cache: defaultCache(), progress: () => undefined };
  return (await addProfile(work, "debian/latest-amd64")).source;
}

function tellFiles(what: string, { ours, plain, offenders, worse }: FilesResult, least: number): void {
  const share = ours.clean / ours.files;
  bar(
    `${what}: clean files of ${ours.files}`,
    `${percent(share, 2)} (plain ${percent(plain.clean / plain.files, 2)})`,
    share >= least,
    `>= ${percent(least, 1)}`,
  );
  bar(`${what}: files worse than plain`, String(worse.length), worse.length === 0, "0");
  process.stdout.write(
    `    ${rates(ours)}, plain ${rates(plain)}; plain ERROR bytes ${percent(plain.errorBytes / plain.bytes, 4)}\n`,
  );
  for (const { file, line, text } of offenders.slice(0, values.offenders ? 10_000 : 20))
    process.stdout.write(`    ${file}:${line} ${text}\n`);
}

function rates({ bytes, processor, seconds }: Sum): string {
  return `${(bytes / 1e6 / processor).toFixed(2)} MB/s of the processor's time, ${(bytes / 1e6 / seconds).toFixed(2)} by the clock`;
}

function tellShare(what: string, { exact, named, made, missing, examples }: Share, least: number): void {
  const share = (exact + named) / (exact + named + missing);
  bar(
    `${what} found`,
    `${percent(share, 2)} (${exact + named + missing} written: ${exact} by name, ${named} as a macro's argument, ${missing} missing; apart: ${made} made by a macro)`,
    share >= least,
    `>= ${percent(least, 1)}`,
  );
  for (const example of examples.slice(0, values.offenders ? 1000 : 10))
    process.stdout.write(`    ${example}\n`);
}

async function size(file: string, limit: number): Promise<void> {
  const { size } = await stat(join(GRAMMAR, file));
  bar(file, `${(size / 1e6).toFixed(2)} MB`, size <= limit, `<= ${limit / 1e6} MB`);
}

function bar(what: string, value: string, holds: boolean, wanted: string): void {
  if (!holds) failed = true;
  process.stdout.write(`${what.padEnd(44)} ${value}  ${holds ? "holds" : "MISSED"} ${wanted}\n`);
}

function percent(share: number, digits: number): string {
  return `${(share * 100).toFixed(digits)} %`;
}
