// `npm run eval -- objects`: what the object witness carries of real fixes, and what a kernel says to it. See USAGE.
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { defaultCache, type Work } from "@kernel-hotpatch/kernel/host/work";
import { type Loadable, type Loaded, loadAll } from "./batch-boot.js";
import { type Builder, type BuiltPatch, type EvalPatch, openBuilder } from "./built-patch.js";
import { type Case, type Outcome, sampleChangedFiles } from "./cases.js";
import { openGrower } from "./grow-group.js";
import { fetchPair, type Pair } from "./pair.js";
import { shuffled } from "./random.js";
import { type Bar, renderBars } from "./report.js";

const USAGE = `npm run eval -- objects [options]
  --from KERNEL --to KERNEL  the pair; by default the newest neighbours but the newest pair
  --count N                  changed files that compile alone, each a patch of its own (120)
  --all                      every one of them
  --groups N                 patches of several files, of those that do not compile alone (30)
  --again N                  build so many of them twice, and compare the bytes (20)
  --no-boot                  load none of them
  --seed N                   for the order of files (1)
  --verbose                  list every patch that is not carried, and why
  --json                     all of it as JSON
  --output FILE              in place of standard output
`;

const { values } = parseArgs({
  args: process.argv.slice(3),
  allowNegative: true,
  options: {
    from: { type: "string" },
    to: { type: "string" },
    count: { type: "string", default: "120" },
    all: { type: "boolean", default: false },
    groups: { type: "string", default: "30" },
    again: { type: "string", default: "20" },
    boot: { type: "boolean", default: true },
    seed: { type: "string", default: "1" },
    verbose: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    output: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
const work: Work = {
  signal: stop.signal,
  cache: defaultCache(),
  progress: (step) => void (process.stderr.isTTY && process.stderr.write(`${step}\n`)),
};
try {
  if (values.help) process.stdout.write(USAGE);
  else await tell(await evaluate());
} catch (error) {
  if (!(error instanceof Fault)) throw error;
  process.stderr.write(`${error.message}\n${error.detail ?? ""}`);
  process.exitCode = 2;
}

/** A patch, what the build made of it, and what a kernel said to it when it was carried. */
interface Result {
  readonly patch: EvalPatch;
  readonly built: BuiltPatch;
  readonly loaded?: Loaded;
}

async function evaluate(): Promise<string> {
  const seed = natural("seed", values.seed);
  const pair = await fetchPair(work, values.from, values.to);
  const builder = await openBuilder(work, pair.older);
  const outcomes = { compiled: 0, "not-built": 0, "does-not-compile": 0, included: 0 };
  const { alone, others } = await tryFiles(pair, seed, outcomes);
  const built = await buildAlone(builder, alone);
  const groups = await buildGroups(pair, builder, others, natural("groups", values.groups));
  const results = await loaded(pair, [...built, ...groups]);
  const [ofFiles, ofGroups] = [results.slice(0, built.length), results.slice(built.length)];
  const again = await twice(builder, results, seed);

  const bars = barsOf(ofFiles, ofGroups, again);
  process.exitCode = bars.every(({ holds }) => holds) ? 0 : 1;
  const set = { from: pair.older.id, to: pair.newer.id, seed, outcomes };
  if (values.json) {
    const plain = results.map(({ built: one, loaded: boot }) => ({ ...one, ...(boot && { loaded: boot }) }));
    return `${JSON.stringify({ ...set, bars, again, results: plain }, undefined, 2)}\n`;
  }
  return [
    `${set.from} (${pair.older.origin}) -> ${set.to}, seed ${seed}\n`,
    `${outcomes.compiled} files compile alone, ${outcomes["does-not-compile"]} do not, `,
    `${outcomes["not-built"]} are not built, ${outcomes.included} are part of others\n\n`,
    renderTable("files that compile alone", ofFiles),
    renderTable("groups of files", ofGroups),
    values.verbose ? renderReasons(results) : "",
    renderTroubles(results),
    renderBars(bars),
  ].join("");
}

async function tryFiles(
  pair: Pair,
  seed: number,
  outcomes: Record<Outcome, number>,
): Promise<{ alone: Case[]; others: Case[] }> {
  const count = values.all ? Number.POSITIVE_INFINITY : natural("count", values.count);
  const [alone, others]: [Case[], Case[]] = [[], []];
  for await (const file of sampleChangedFiles(work, pair, count, seed)) {
    outcomes[file.outcome]++;
    // The objects are not kept: they are many.
    const { objects: _, ...one } = file;
    if (file.outcome === "compiled") alone.push(one);
    if (file.outcome === "does-not-compile") others.push(one);
  }
  return { alone, others };
}

async function buildAlone(builder: Builder, files: readonly Case[]): Promise<Result[]> {
  const results: Result[] = [];
  for (const [at, file] of files.entries()) {
    work.progress(`building ${at + 1} of ${files.length}: ${file.path}`);
    const patch = { id: idOf(file.path), files: [file] };
    results.push({ patch, built: await builder.build(patch) });
  }
  return results;
}

/** Groups that are alike, since two files need the same others, are one. */
async function buildGroups(
  pair: Pair,
  builder: Builder,
  files: readonly Case[],
  count: number,
): Promise<Result[]> {
  if (count === 0) return [];
  const grower = await openGrower(work, pair, builder);
  const groups = new Map<string, Result>();
  let given = 0;
  for (const file of files) {
    if (groups.size === count) break;
    const { patch, built } = await grower.grow(`group-${idOf(file.path)}`, file);
    if (built.outcome === "does-not-compile") given++;
    else groups.set(built.files.join(), { patch, built });
  }
  if (given > 0) process.stderr.write(`${given} files do not compile with what was found for them\n`);
  return [...groups.values()];
}

function idOf(path: string): string {
  return path.replace(/\.c$/, "").replace(/[^\w-]/g, "-");
}

async function loaded(pair: Pair, results: readonly Result[]): Promise<Result[]> {
  if (!values.boot) return [...results];
  const loadables = results.flatMap(({ built: { id, module } }): Loadable[] =>
    module ? [{ id, path: module.path, module: module.name, objects: module.objects }] : [],
  );
  const found = new Map((await loadAll(work, pair.older, loadables)).map((one) => [one.id, one]));
  return results.map((result) => {
    const boot = found.get(result.built.id);
    return boot ? { ...result, loaded: boot } : result;
  });
}

/** Builds some again, elsewhere. @returns ids of those whose bytes differ, and how many were built */
async function twice(
  builder: Builder,
  results: readonly Result[],
  seed: number,
): Promise<{ readonly count: number; readonly different: readonly string[] }> {
  const carried = results.filter(({ built }) => built.module);
  const chosen = shuffled(carried, seed).slice(0, natural("again", values.again));
  const different: string[] = [];
  for (const { patch, built } of chosen) {
    work.progress(`building ${patch.id} again`);
    if ((await builder.buildAgain(patch)) !== built.module?.sha256) different.push(patch.id);
  }
  return { count: chosen.length, different };
}

const OUTCOMES = ["carried", "refused", "unchanged", "does-not-compile", "failed"] as const;

function counted(results: readonly Result[], outcome: BuiltPatch["outcome"]): number {
  return results.filter(({ built }) => built.outcome === outcome).length;
}

function renderTable(title: string, results: readonly Result[]): string {
  const lines = OUTCOMES.map((outcome): [string, number] => [outcome, counted(results, outcome)]);
  const rules = new Map<string, number>();
  for (const { built } of results)
    if (built.outcome === "refused")
      for (const rule of new Set(built.reasons.map((reason) => reason.rule)))
        rules.set(rule, (rules.get(rule) ?? 0) + 1);
  const boots = results.flatMap(({ loaded: boot }) => boot ?? []);
  const functions = results.flatMap(({ built }) => built.runPre ?? []);
  const rows: [string, number][] = [
    ...lines.filter(([, count]) => count > 0),
    ...[...rules].sort().map(([rule, count]): [string, number] => [`  refused by ${rule}`, count]),
    ["of the carried: loaded", boots.filter(({ load }) => load).length],
    ["  transitioned", boots.filter(({ transition }) => transition).length],
    ["  unloaded", boots.filter(({ unload }) => unload).length],
    ["  log clean", boots.filter(({ complaints }) => complaints.length === 0).length],
    ["  with what they patch loaded as well", boots.filter(({ targets }) => targets).length],
    ["functions held against the kernel's own code", functions.length],
    ["  run-pre matched", functions.filter(({ outcome }) => outcome === "matched").length],
  ];
  const table = rows.map(([name, count]) => `  ${name.padEnd(46)}${String(count).padStart(6)}\n`);
  return `${results.length} ${title}\n${table.join("")}\n`;
}

function renderReasons(results: readonly Result[]): string {
  const lines = results
    .filter(({ built }) => built.outcome !== "carried" && built.outcome !== "unchanged")
    .map(({ built: { id, files, outcome, reasons } }) => {
      const said = reasons.slice(0, 12).map(({ rule, message }) => `    ${rule}: ${message}\n`);
      return `${id} (${files.length} files): ${outcome}\n${said.join("")}`;
    });
  return `${lines.join("")}\n`;
}

/** What must not be. */
function renderTroubles(results: readonly Result[]): string {
  const lines = results.flatMap(({ built, loaded: boot }) => {
    const failed = built.outcome === "failed" ? built.reasons.map(({ message }) => `failed: ${message}`) : [];
    const functions = (built.runPre ?? [])
      .filter(({ outcome }) => outcome !== "matched")
      .map(({ name, outcome, reason = "" }) => `run-pre of '${name}': ${outcome}: ${reason}`);
    const isWell = boot === undefined || (boot.load && boot.transition && boot.unload);
    const said = isWell ? [] : [`load ${boot.load}, transition ${boot.transition}, unload ${boot.unload}`];
    const words = isWell ? [] : boot.words;
    return [...failed, ...functions, ...said, ...(boot?.complaints ?? []), ...words].map(
      (line) => `${built.id}: ${line}\n`,
    );
  });
  return lines.length === 0 ? "" : `${lines.join("")}\n`;
}

function barsOf(
  files: readonly Result[],
  groups: readonly Result[],
  again: { readonly count: number; readonly different: readonly string[] },
): Bar[] {
  const all = [...files, ...groups];
  const share = (part: number, whole: number) => (whole === 0 ? 100 : (100 * part) / whole);
  // A change that the compiler sees nothing of has nothing to carry.
  const carried = (some: readonly Result[]) =>
    share(counted(some, "carried"), some.length - counted(some, "unchanged"));
  const boots = all.flatMap(({ loaded: boot }) => boot ?? []);
  const well = boots.filter(
    ({ load, transition, unload, complaints }) => load && transition && unload && complaints.length === 0,
  ).length;
  const functions = all.flatMap(({ built }) => built.runPre ?? []);
  const matched = functions.filter(({ outcome }) => outcome === "matched").length;
  const percent = (what: string, value: number, least: number): Bar => ({
    what,
    holds: value >= least,
    value: `${value.toFixed(1)} %`,
    wanted: `>= ${least} %`,
  });
  const failed = counted(all, "failed");
  return [
    percent("files carried, of those that change", carried(files), 92),
    ...(groups.length > 0 ? [percent("groups carried, of those that change", carried(groups), 70)] : []),
    { what: "builds that failed", holds: failed === 0, value: String(failed), wanted: "0" },
    ...(values.boot
      ? [percent("carried that load, transition and unload, log clean", share(well, boots.length), 100)]
      : []),
    percent("functions that match the kernel's own code", share(matched, functions.length), 99),
    {
      what: `built twice, other bytes (of ${again.count})`,
      holds: again.different.length === 0,
      value: String(again.different.length),
      wanted: "0",
    },
  ];
}

async function tell(text: string): Promise<void> {
  if (values.output === undefined) process.stdout.write(text);
  else await writeFile(values.output, text);
}

function natural(option: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0)
    throw new Fault("bad-input", `--${option} takes a number, not '${text}'`);
  return number;
}
