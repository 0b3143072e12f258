// `npm run eval -- check`: how right the source witness is, against what the compiler proves. See USAGE.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { askCheck } from "./ask-check.js";
import { type Outcome, tryChangedFiles } from "./cases.js";
import { evalWork, natural, tell } from "./command.js";
import { compareLabels, type Judged } from "./compare-labels.js";
import { fetchPair, type Pair } from "./pair.js";
import { patchText } from "./patch-texts.js";
import { shuffled } from "./random.js";
import { barsOf, renderBars, renderMismatches, renderScores } from "./report.js";
import { hunksOf, renderSample } from "./sample.js";
import { sourceChange } from "./source-change.js";
import { notBuiltTruth, type Truth, truthOf } from "./truth.js";

const USAGE = `npm run eval -- check [options]
  --from KERNEL --to KERNEL  the pair; by default the newest neighbours but the newest pair
  --cases N                  compile at least so many (150)
  --seed N                   for the order of net/ and drivers/ and of the sample (1)
  --labels                   list the truth with its evidence, and ask no witness
  --verbose                  list every mismatch
  --json                     all of it as JSON
  --sample N                 print N changed functions for reading instead
  --output FILE              in place of standard output
`;
/** A file that is not built is quickly proven; more of them would outweigh the rest. */
const NOT_BUILT = 20;
const PROCESSES = 2;

/** A case with its truth; the objects are not kept. */
interface Labelled {
  readonly path: string;
  readonly isBuilt: boolean;
  readonly truth: Truth;
  /** Where its patch is. */
  readonly patch: string;
}

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    from: { type: "string" },
    to: { type: "string" },
    cases: { type: "string", default: "150" },
    seed: { type: "string", default: "1" },
    labels: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    sample: { type: "string" },
    output: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
const work = evalWork();
const folder = await mkdtemp(join(tmpdir(), "hotpatch-eval-"));
try {
  if (values.help) process.stdout.write(USAGE);
  else await tell(await evaluate(), values.output);
} catch (error) {
  if (!(error instanceof Fault)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function evaluate(): Promise<string> {
  const seed = natural("seed", values.seed);
  const pair = await fetchPair(work, values.from, values.to);
  const outcomes = { compiled: 0, "not-built": 0, "does-not-compile": 0, included: 0 };
  const cases = await labelledSet(pair, natural("cases", values.cases), seed, outcomes);
  if (values.sample !== undefined) return await sample(cases, natural("sample", values.sample), seed);

  const set = { from: pair.older.id, to: pair.newer.id, seed, outcomes };
  const heading =
    `${set.from} (${pair.older.origin}) -> ${set.to}, seed ${seed}\n` +
    `${outcomes.compiled} files compile alone, ${outcomes["does-not-compile"]} do not, ` +
    `${outcomes["not-built"]} are not built, ${outcomes.included} are part of others\n`;
  if (values.labels)
    return values.json ? json({ ...set, cases: cases.map(withoutPatch) }) : heading + renderLabels(cases);

  const { judged, failures } = await askAll(pair, cases);
  const comparison = compareLabels(judged);
  const bars = barsOf(comparison, outcomes.compiled, failures.length);
  process.exitCode = bars.every(({ holds }) => holds) ? 0 : 1;
  if (values.json) {
    const { rules, total, mismatches } = comparison;
    const scores = Object.fromEntries(rules);
    return json({ ...set, bars, scores, total, mismatches, failures, cases: cases.map(withoutPatch) });
  }
  const offences = { ...comparison, mismatches: comparison.mismatches.filter(({ kind }) => kind === "safe") };
  return [
    heading,
    "\n",
    renderScores(comparison),
    "\n",
    renderMismatches(values.verbose ? comparison : offences),
    failures.map((failure) => `no review: ${failure}\n`).join(""),
    renderBars(bars),
  ].join("");
}

async function labelledSet(
  pair: Pair,
  least: number,
  seed: number,
  outcomes: Record<Outcome, number>,
): Promise<Labelled[]> {
  const labelled: Labelled[] = [];
  for await (const file of tryChangedFiles(work, pair, least, seed)) {
    outcomes[file.outcome]++;
    const { path, before, after, objects } = file;
    if (!objects && (file.outcome !== "not-built" || outcomes["not-built"] > NOT_BUILT)) continue;
    const text = await patchText(work, file, join(folder, "sources"));
    const patch = join(folder, `${path.replaceAll("/", "-")}.patch`);
    await writeFile(patch, text);
    const truth = objects
      ? truthOf(objects.orig, objects.patched, sourceChange(path, before, after, text.toString("latin1")))
      : notBuiltTruth;
    labelled.push({ path, isBuilt: objects !== undefined, truth, patch });
  }
  return labelled;
}

/** Two at a time, as there are processors; in the order of the cases. */
async function askAll(
  pair: Pair,
  cases: readonly Labelled[],
): Promise<{ judged: Judged[]; failures: string[] }> {
  const judged = new Map<Labelled, Judged>();
  const failures: string[] = [];
  const queue = [...cases];
  const worker = async () => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) {
      const { path, truth, isBuilt } = one;
      work.progress(`asking about ${path}`);
      try {
        const { verdict, findings } = await askCheck(work, pair.older.id, one.patch);
        judged.set(one, { path, truth, isBuilt, verdict, findings });
      } catch (error) {
        if (!(error instanceof Fault) || error.code === "interrupted") throw error;
        failures.push(`${path}: ${error.message}`);
      }
    }
  };
  await Promise.all(Array.from({ length: PROCESSES }, worker));
  return { judged: cases.map((one) => judged.get(one)).filter((one) => one !== undefined), failures };
}

async function sample(cases: readonly Labelled[], count: number, seed: number): Promise<string> {
  const functions = cases.flatMap(({ path, truth }) =>
    truth.changed.filter((name) => !truth.fanOut.includes(name)).map((name) => ({ path, name })),
  );
  const chosen = shuffled(functions, seed).slice(0, count);
  const parts: string[] = [`${chosen.length} of ${functions.length} changed functions, seed ${seed}\n\n`];
  for (const [index, one] of chosen.entries())
    parts.push(renderSample(index + 1, one, hunksOf(await wholeFunctions(one.path), one.name)));
  return parts.join("");
}

/** The patch of a file that was written already, with whole functions around what differs. */
async function wholeFunctions(path: string): Promise<string> {
  const sources = join(folder, "sources");
  const [before, after] = await Promise.all(["a", "b"].map((side) => readFile(join(sources, side, path))));
  if (before === undefined || after === undefined) return "";
  return (await patchText(work, { path, before, after }, sources, ["--function-context"])).toString();
}

function renderLabels(cases: readonly Labelled[]): string {
  const counts = new Map<string, number>();
  const lines: string[] = [];
  for (const { path, truth } of cases)
    for (const { rule, symbol, also, evidence, doubt } of truth.labels) {
      const kind = doubt === undefined ? rule : `${rule}, in doubt`;
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
      const inlined = also.length === 0 ? "" : ` (or ${also.join(", ")})`;
      lines.push(`${path}: ${kind} ${symbol ?? ""}${inlined}\n    ${evidence}${doubt ? `; ${doubt}` : ""}\n`);
    }
  const changed = cases.flatMap(({ truth }) => truth.changed);
  const fanOut = cases.flatMap(({ truth }) => truth.fanOut);
  const table = [...counts].sort().map(([kind, count]) => `${kind.padEnd(36)}${count}\n`);
  return `${lines.join("")}\n${table.join("")}${changed.length} changed functions, ${fanOut.length} of them touched by no hunk\n`;
}

function withoutPatch({ path, isBuilt, truth }: Labelled) {
  return { path, isBuilt, ...truth };
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
