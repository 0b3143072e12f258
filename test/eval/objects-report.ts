import { isGood, type Loaded } from "./batch-boot.js";
import type { BuiltPatch } from "./built-patch.js";
import type { Outcome } from "./cases.js";
import type { Bar } from "./report.js";

/** A patch that was built, and what a kernel did with it when it was carried and loaded. */
export interface Tried {
  readonly built: BuiltPatch;
  readonly loaded?: Loaded;
}

/** All that one run has found. */
export interface ObjectsResult {
  readonly from: string;
  readonly to: string;
  readonly origin: string;
  readonly seed: number;
  /** Of the changed files that were looked at, each by itself. */
  readonly outcomes: Readonly<Record<Outcome, number>>;
  /** Files that compile alone. */
  readonly alone: readonly Tried[];
  /** Files that do not, with what they need. */
  readonly groups: readonly Tried[];
  readonly ungrouped: readonly { readonly path: string; readonly reason: string }[];
  /** Patches that were built twice. */
  readonly again: readonly { readonly id: string; readonly same: boolean }[];
}

const BARS = { alone: 120, groups: 30, carriedAlone: 0.92, carriedGroups: 0.7, again: 20, runPre: 0.99 };

/** The bars of the object witness. What does not differ once compiled can be neither carried nor refused, and is left out. */
export function barsOf({ alone, groups, again }: ObjectsResult): Bar[] {
  const all = [...alone, ...groups];
  const [one, many] = [counted(alone), counted(groups)];
  const failed = one.failed + many.failed;
  const loaded = all.flatMap((tried) => (tried.loaded ? [tried.loaded] : []));
  const good = loaded.filter(isGood).length;
  const carried = one.carried + many.carried;
  const runPre = matched(all);
  const least = (what: string, value: number, wanted: number): Bar => ({
    what,
    value: String(value),
    holds: value >= wanted,
    wanted: `>= ${wanted}`,
  });
  const share = (what: string, part: number, whole: number, wanted: number): Bar => ({
    what,
    value: percent(part, whole),
    holds: whole > 0 && part / whole >= wanted,
    wanted: `${wanted < 1 ? ">= " : ""}${wanted * 100} %`,
  });
  return [
    least("files that compile alone", alone.length, BARS.alone),
    least("groups", groups.length, BARS.groups),
    share(
      "carried of the files alone",
      one.carried,
      one.carried + one.refused + one.failed,
      BARS.carriedAlone,
    ),
    share(
      "carried of the groups",
      many.carried,
      many.carried + many.refused + many.failed,
      BARS.carriedGroups,
    ),
    { what: "failed", value: String(failed), holds: failed === 0, wanted: "0" },
    share("of the carried in and out, log clean", good, carried, 1),
    share("functions run-pre matched", runPre.matched, runPre.all, BARS.runPre),
    least("built twice", again.length, BARS.again),
    share("of these the same bytes", again.filter(({ same }) => same).length, again.length, 1),
  ];
}

/** The whole table: what was looked at, what was carried, how that ran; and what went wrong, which is never left out. */
export function renderTable(result: ObjectsResult): string {
  const { outcomes, alone, groups } = result;
  const rows = (
    [
      ["tried", ({ length }) => length],
      ["carried", (tried) => counted(tried).carried],
      ["refused by rule", (tried) => counted(tried).refused],
      ["unchanged", (tried) => counted(tried).unchanged],
      ["failed", (tried) => counted(tried).failed],
      ["of the carried: loaded", (tried) => loads(tried, ({ load }) => load)],
      ["  transitioned", (tried) => loads(tried, ({ transition }) => transition)],
      ["  unloaded", (tried) => loads(tried, ({ unload }) => unload)],
      ["  log clean", (tried) => loads(tried, ({ load, log }) => load && log.length === 0)],
      [
        "  only at a second try, alone",
        (tried) => loads(tried, (one) => isGood(one) && one.firstTry !== undefined),
      ],
      ["  target built in", (tried) => loads(tried, ({ targets }) => targets === "built in")],
      ["  target a module, loaded", (tried) => loads(tried, ({ targets }) => targets === "loaded")],
      ["  target not loaded", (tried) => loads(tried, ({ targets }) => targets === "not loaded")],
      ["functions replaced", (tried) => matched(tried).all],
      ["  run-pre matched", (tried) => matched(tried).matched],
    ] satisfies [string, (tried: readonly Tried[]) => number][]
  ).map(([name, count]) => line(name, count(alone), count(groups)));
  const looked = Object.values(outcomes).reduce((sum, count) => sum + count, 0);
  return [
    `${result.from} (${result.origin}) -> ${result.to}, seed ${result.seed}\n`,
    `${looked} changed files: ${outcomes.compiled} compile alone, ${outcomes["does-not-compile"]} do not, `,
    `${outcomes["not-built"]} are not built, ${outcomes.included} are part of others\n\n`,
    line("", "alone", "groups"),
    ...rows,
    "\nrefused by rule (patches; one may have several)\n",
    ...renderRules(alone, groups),
    ...renderWrong(result),
  ].join("");
}

/** Every refusal: rule, symbol, message. */
export function renderRefusals({ alone, groups }: ObjectsResult): string {
  return [...alone, ...groups]
    .filter(({ built }) => built.outcome === "refused")
    .map(({ built: { id, files, reasons } }) => {
      const lines = reasons.map(({ rule, symbol, message }) => `    ${rule} ${symbol ?? "-"}: ${message}\n`);
      return `refused: ${files.length === 1 ? files[0] : `${id}: ${files.join(" ")}`}\n${lines.join("")}`;
    })
    .join("");
}

function renderRules(alone: readonly Tried[], groups: readonly Tried[]): string[] {
  const [one, many] = [rulesOf(alone), rulesOf(groups)];
  const rules = [...new Set([...one.keys(), ...many.keys()])].sort();
  return rules.map((rule) => line(`  ${rule}`, one.get(rule) ?? 0, many.get(rule) ?? 0));
}

function rulesOf(tried: readonly Tried[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { built } of tried)
    if (built.outcome === "refused")
      for (const rule of new Set(built.reasons.map((reason) => reason.rule)))
        counts.set(rule, (counts.get(rule) ?? 0) + 1);
  return counts;
}

function renderWrong({ alone, groups, ungrouped, again }: ObjectsResult): string[] {
  const all = [...alone, ...groups];
  const failed = all.filter(({ built }) => built.outcome === "failed");
  const bad = all.flatMap(({ loaded }) => (loaded && !isGood(loaded) ? [loaded] : []));
  const late = all.flatMap(({ loaded }) => (loaded?.firstTry && isGood(loaded) ? [loaded] : []));
  const unmatched = all.flatMap(({ built }) =>
    (built.runPre ?? []).filter(({ outcome }) => outcome !== "matched"),
  );
  return [
    "\n",
    ...failed.map(({ built }) => `failed: ${built.id}: ${built.reasons[0]?.message ?? ""}\n`),
    ...late.map(
      ({ id, firstTry = [] }) => `in and out only at a second try, alone: ${id}\n${indented(firstTry)}`,
    ),
    ...bad.map(({ id, log, words }) => `did not run: ${id}\n${indented([...words, ...log])}`),
    ...unmatched.map(
      ({ unit, name, outcome, reason }) => `run-pre ${outcome}: ${name} of ${unit}: ${reason ?? ""}\n`,
    ),
    ...again.filter(({ same }) => !same).map(({ id }) => `other bytes: ${id}\n`),
    ...ungrouped.map(({ path, reason }) => `no group: ${path}: ${reason}\n`),
  ];
}

function counted(tried: readonly Tried[]) {
  const count = (outcome: BuiltPatch["outcome"]) =>
    tried.filter(({ built }) => built.outcome === outcome).length;
  return {
    carried: count("carried"),
    refused: count("refused"),
    unchanged: count("unchanged"),
    // What is tried has been compiled before.
    failed: count("failed") + count("does-not-compile"),
  };
}

function loads(tried: readonly Tried[], holds: (loaded: Loaded) => boolean): number {
  return tried.filter(({ loaded }) => loaded && holds(loaded)).length;
}

function matched(tried: readonly Tried[]): { all: number; matched: number } {
  const functions = tried.flatMap(({ built }) => built.runPre ?? []);
  return {
    all: functions.length,
    matched: functions.filter(({ outcome }) => outcome === "matched").length,
  };
}

function line(name: string, alone: number | string, groups: number | string): string {
  return `${name.padEnd(34)}${String(alone).padStart(9)}${String(groups).padStart(9)}\n`;
}

function indented(lines: readonly string[]): string {
  return lines.map((text) => `    ${text}\n`).join("");
}

/** Rounded down: what is almost all is not all. */
function percent(part: number, whole: number): string {
  return whole === 0 ? "-" : `${(Math.floor((part / whole) * 1000) / 10).toFixed(1)} %`;
}
