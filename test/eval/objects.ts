// `npm run eval -- objects`: what the object witness carries of real fixes, and how that runs. See USAGE.
import { parseArgs } from "node:util";
import { isGood, type Loaded, loadAll } from "./batch-boot.js";
import { type Builder, type BuiltPatch, type EvalPatch, openBuilder } from "./built-patch.js";
import { type Case, type Outcome, sampleChangedFiles } from "./cases.js";
import { evalWork, natural, runEvaluation } from "./command.js";
import { openGrower } from "./grow-group.js";
import { barsOf, type ObjectsResult, renderRefusals, renderTable, type Tried } from "./objects-report.js";
import { fetchPair, type Pair } from "./pair.js";
import { shuffled } from "./random.js";
import { renderBars } from "./report.js";

const USAGE = `npm run eval -- objects [options]
  --from KERNEL --to KERNEL  the pair; by default the newest neighbours but the newest pair
  --count N                  files that compile alone (120)
  --groups N                 files that do not, each with what it needs (30)
  --again N                  patches that are built twice (20)
  --seed N                   for the order of all (1)
  --all                      every changed file; takes a day
  --no-boot                  load nothing
  --verbose                  list every refusal, and all that went wrong
  --json                     all of it as JSON
  --output FILE              in place of standard output
What came of a build or a boot is kept in the cache, and holds until our code changes.
`;

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    from: { type: "string" },
    to: { type: "string" },
    count: { type: "string", default: "120" },
    groups: { type: "string", default: "30" },
    again: { type: "string", default: "20" },
    seed: { type: "string", default: "1" },
    all: { type: "boolean", default: false },
    "no-boot": { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    output: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
const work = evalWork();
await runEvaluation(evaluate, USAGE, values);

async function evaluate(): Promise<string> {
  const seed = natural("seed", values.seed);
  const pair = await fetchPair(work, values.from, values.to);
  note(`${pair.older.id} (${pair.older.origin}) -> ${pair.newer.id}, seed ${seed}`);
  const builder = await openBuilder(work, pair.older);

  const outcomes = { compiled: 0, "not-built": 0, "does-not-compile": 0, included: 0 };
  const files = counting(sampleChangedFiles(work, pair, seed), outcomes);
  const sample = await buildSample(files, builder, values.all ? Infinity : natural("count", values.count));
  const groups = await buildGroups(
    pair,
    builder,
    chained(sample.uncompiled, files),
    values.all ? Infinity : natural("groups", values.groups),
  );
  const tried = [...sample.tried, ...groups.tried];
  const loads = values["no-boot"] ? undefined : await loadCarried(pair, tried);
  const again = await buildAgain(builder, shuffled(tried, seed), natural("again", values.again));
  const result: ObjectsResult = {
    from: pair.older.id,
    to: pair.newer.id,
    origin: pair.older.origin,
    seed,
    outcomes,
    alone: withLoads(sample.tried, loads),
    groups: withLoads(groups.tried, loads),
    ungrouped: groups.ungrouped,
    again,
  };
  const bars = barsOf(result);
  process.exitCode = bars.every(({ holds }) => holds) ? 0 : 1;
  if (values.json) return `${JSON.stringify({ ...result, bars }, undefined, 2)}\n`;
  return [
    renderTable(result),
    "\n",
    values.verbose ? `${renderRefusals(result)}\n` : "",
    renderBars(bars),
  ].join("");
}

/** A patch with what became of it. */
interface Built {
  readonly patch: EvalPatch;
  readonly built: BuiltPatch;
}

async function* counting(
  files: AsyncIterable<Case>,
  outcomes: Record<Outcome, number>,
): AsyncGenerator<Case, undefined> {
  for await (const file of files) {
    outcomes[file.outcome]++;
    yield file;
  }
}

/** Some that were drawn before, and then ever more of the same kind. */
async function* chained(
  first: readonly Case[],
  files: AsyncGenerator<Case, undefined>,
): AsyncGenerator<Case> {
  yield* first;
  for await (const file of files) if (file.outcome === "does-not-compile") yield file;
}

/** Draws files until `count` of them compile; what comes after them is left in `files`. */
async function buildSample(
  files: AsyncGenerator<Case, undefined>,
  builder: Builder,
  count: number,
): Promise<{ tried: Built[]; uncompiled: Case[] }> {
  const tried: Built[] = [];
  const uncompiled: Case[] = [];
  while (tried.length < count) {
    const file = (await files.next()).value;
    if (file === undefined) break;
    if (file.outcome === "does-not-compile") uncompiled.push(file);
    if (file.outcome !== "compiled") continue;
    const { path, before, after } = file;
    const patch = { id: idOf(path), files: [{ path, before, after }] };
    tried.push({ patch, built: await buildAndTell(builder, patch, `${tried.length + 1} of ${count}`) });
  }
  return { tried, uncompiled };
}

async function buildGroups(
  pair: Pair,
  builder: Builder,
  files: AsyncIterable<Case>,
  count: number,
): Promise<{ tried: Built[]; ungrouped: { path: string; reason: string }[] }> {
  const tried: Built[] = [];
  const ungrouped: { path: string; reason: string }[] = [];
  if (count === 0) return { tried, ungrouped };
  const grower = await openGrower(work, pair, builder);
  for await (const { path } of files) {
    // Two files that need each other are one group.
    if (tried.some(({ built }) => built.files.includes(path))) continue;
    const grown = await grower.grow(`group-${idOf(path)}`, path);
    if ("reason" in grown) {
      note(`no group for ${path}: ${grown.reason}`);
      ungrouped.push(grown);
      continue;
    }
    tried.push(grown);
    noteBuilt(grown.built, `group ${tried.length} of ${count}, ${grown.patch.files.length} files`);
    if (tried.length >= count) break;
  }
  return { tried, ungrouped };
}

async function buildAndTell(builder: Builder, patch: EvalPatch, which: string): Promise<BuiltPatch> {
  const built = await builder.build(patch);
  noteBuilt(built, which);
  return built;
}

function noteBuilt({ id, outcome, reasons }: BuiltPatch, which: string): void {
  const why =
    outcome === "carried" ? "" : reasons.map(({ rule, symbol }) => `${rule} ${symbol ?? ""}`.trim());
  note(`${which}: ${id} ${outcome}${why.length > 0 ? ` (${[...new Set(why)].slice(0, 4).join(", ")})` : ""}`);
}

async function loadCarried(pair: Pair, tried: readonly Built[]): Promise<ReadonlyMap<string, Loaded>> {
  const loadables = tried.flatMap(({ built: { id, module } }) =>
    module
      ? [{ id, path: module.path, sha256: module.sha256, module: module.name, objects: module.objects }]
      : [],
  );
  const loads = new Map<string, Loaded>();
  for await (const loaded of loadAll(work, pair.older, loadables)) {
    loads.set(loaded.id, loaded);
    const state = [
      `target ${loaded.targets}`,
      isGood(loaded) ? "in and out" : "FAILED",
      ...loaded.log.slice(0, 3),
      ...loaded.words.slice(0, 3),
    ];
    note(
      `${loads.size} of ${loadables.length}: ${loaded.id}: ${state.filter((word) => word !== "").join("; ")}`,
    );
  }
  return loads;
}

async function buildAgain(
  builder: Builder,
  tried: readonly Built[],
  count: number,
): Promise<ObjectsResult["again"]> {
  const again: { id: string; same: boolean }[] = [];
  for (const { patch, built } of tried.filter(({ built }) => built.module).slice(0, count)) {
    const same = (await builder.buildAgain(patch)) === built.module?.sha256;
    again.push({ id: patch.id, same });
    note(`${again.length} of ${count} again: ${patch.id} ${same ? "same bytes" : "OTHER BYTES"}`);
  }
  return again;
}

function withLoads(tried: readonly Built[], loads: ReadonlyMap<string, Loaded> | undefined): Tried[] {
  return tried.map(({ built }) => {
    const loaded = loads?.get(built.id);
    return { built, ...(loaded && { loaded }) };
  });
}

function idOf(path: string): string {
  return path.replace(/\.c$/, "").replaceAll("/", "-");
}

/** A line of progress, also into a log file. */
function note(words: string): void {
  process.stderr.write(`${words}\n`);
}
