// `npm run eval -- headers`: whether units that do not name what changes in a header really stay as they are. See USAGE.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, normalize } from "node:path";
import { parseArgs } from "node:util";
import { changedNames } from "@kernel-hotpatch/kernel/build/changed-names";
import { compilePatched, type PatchedUnit } from "@kernel-hotpatch/kernel/build/compile";
import { includerSearch } from "@kernel-hotpatch/kernel/build/inclusions";
import { namingSearch } from "@kernel-hotpatch/kernel/build/naming-files";
import { originalsOf } from "@kernel-hotpatch/kernel/build/originals";
import type { FileChange } from "@kernel-hotpatch/kernel/build/patch-files";
import { affectedUnits } from "@kernel-hotpatch/kernel/build/units";
import { checkpoint } from "@kernel-hotpatch/kernel/host/work";
import { diffObjects, openObject } from "@kernel-hotpatch/kernel/objdiff/diff-objects";
import { evalWork, natural, runEvaluation } from "./command.js";
import { readDifference } from "./difference.js";
import { fetchPair, type Pair } from "./pair.js";
import { shuffled } from "./random.js";
import { renderBars } from "./report.js";

const USAGE = `npm run eval -- headers [options]
Each changed header alone in the older tree. Of a header that many units include, a build looks only at those that name
what changes. Here that is asked of headers that few include, so that all can be compiled and compared.
  --from KERNEL --to KERNEL  the pair; by default the newest neighbours but the newest pair
  --units N                  stop when so many were compiled (600)
  --seed N                   for the order of headers (1)
  --output FILE              in place of standard output
`;

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    from: { type: "string" },
    to: { type: "string" },
    units: { type: "string", default: "600" },
    seed: { type: "string", default: "1" },
    output: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
const work = evalWork();
await runEvaluation(evaluate, USAGE, values);

/** What was found of one header. */
interface Judged {
  readonly path: string;
  readonly compiled: number;
  readonly named: readonly string[];
  /** Units that compile to something else or no longer, each with how that shows. */
  readonly differing: ReadonlyMap<string, string>;
}

/** Why a header does not count. */
type Reason =
  | "too many includers, or none"
  | "not told by names"
  | "does not compile alone"
  | "refused for a layout that differs"
  | "refused for a layout that no unit shows";

async function evaluate(): Promise<string> {
  const seed = natural("seed", values.seed);
  const limit = natural("units", values.units);
  const pair = await fetchPair(work, values.from, values.to);
  const difference = await readDifference(work, pair);
  const skipped = new Map<Reason, number>();
  const judged: Judged[] = [];
  let units = 0;
  for (const path of shuffled(difference.paths, seed)) {
    const { before, after } = difference.change(path) ?? {};
    if (!path.endsWith(".h") || !before || !after || units >= limit) continue;
    checkpoint(work);
    const found = await judge(pair, { path, before, after });
    if (typeof found === "string") {
      skipped.set(found, (skipped.get(found) ?? 0) + 1);
      process.stderr.write(`${path}: ${found}\n`);
      continue;
    }
    judged.push(found);
    units += found.compiled;
    const { compiled, named, differing } = found;
    process.stderr.write(
      `${path}: ${compiled} compiled, ${differing.size} differ, ${named.length} named; ${units} of ${limit}\n` +
        missesOf(found)
          .map(([unit, how]) => `    MISSED ${unit}: ${how}\n`)
          .join(""),
    );
  }
  const misses = judged.flatMap((one) => missesOf(one).map(([unit, how]) => `${one.path}: ${unit}: ${how}`));
  const bars = [
    {
      what: "units that differ and name nothing",
      value: String(misses.length),
      holds: misses.length === 0,
      wanted: "0",
    },
  ];
  process.exitCode = misses.length === 0 ? 0 : 1;
  const sum = (count: (one: Judged) => number) => judged.reduce((total, one) => total + count(one), 0);
  const rows: [string, number][] = [
    ["headers", judged.length],
    ["units compiled", sum(({ compiled }) => compiled)],
    ["units differing", sum(({ differing }) => differing.size)],
    ["units named", sum(({ named }) => named.length)],
    ...[...skipped].map(([why, count]): [string, number] => [`headers left out: ${why}`, count]),
  ];
  return [
    `${pair.older.id} -> ${pair.newer.id}, seed ${seed}\n`,
    ...rows.map(([what, count]) => `${what.padEnd(50)}${String(count).padStart(8)}\n`),
    ...misses.map((miss) => `missed: ${miss}\n`),
    renderBars(bars),
  ].join("");
}

function missesOf({ named, differing }: Judged): [string, string][] {
  return [...differing].filter(([unit]) => !named.includes(unit));
}

async function judge({ older }: Pair, change: Required<FileChange>): Promise<Judged | Reason> {
  const { path, before, after } = change;
  const includers = (await affectedUnits(work, older, [change])).units;
  if (includers.length === 0) return "too many includers, or none";
  const changed = changedNames(before.toString("latin1"), after.toString("latin1"));
  if (typeof changed === "string") return "not told by names";
  const files = await namingSearch(work, older, [change])(path, changed);
  if (typeof files === "string") return "not told by names";
  const users = await (await includerSearch(work, older))(files);
  if (typeof users === "string") return "not told by names";
  const named = includers.filter((unit) => users.includes(unit));
  const originals = new Map(
    [...(await originalsOf(work, older, includers))].filter(([, { sources }]) =>
      sources.some((source) => normalize(source) === path),
    ),
  );
  const folder = await mkdtemp(join(tmpdir(), "hotpatch-eval-"));
  try {
    const patched = await compilePatched(work, older, [change], originals, folder);
    const isOwnError = ({ object, observations }: PatchedUnit) =>
      object === undefined && observations.some(({ file }) => file === path);
    if (patched.every(isOwnError)) return "does not compile alone";
    const differing = new Map<string, string>();
    let seesLayout = changed.types.size === 0;
    for (const { unit, object, observations } of patched) {
      const original = originals.get(unit);
      if (original === undefined) continue;
      if (object === undefined) {
        differing.set(unit, observations[0]?.message ?? "does not compile");
        continue;
      }
      const { report } = diffObjects(openObject(original.object, unit), openObject(object, unit));
      const words = [...report.changed, ...report.refusals.map(({ message }) => message)];
      if (report.outcome !== "unchanged") differing.set(unit, words.slice(0, 3).join("; "));
      const isLayout = report.refusals.some(
        ({ rule, symbol = "" }) => rule === "data-layout" && changed.types.has(symbol),
      );
      // Of such a header the build refuses all, if a unit that it looks at shows it.
      if (isLayout && named.includes(unit)) return "refused for a layout that differs";
      seesLayout ||= named.includes(unit);
    }
    if (!seesLayout) return "refused for a layout that no unit shows";
    return { path, compiled: patched.length, named, differing };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
