import { type Comparison, FAMILIES, type Score } from "./compare-labels.js";

/** A line that must hold. */
export interface Bar {
  readonly what: string;
  readonly value: string;
  readonly holds: boolean;
  readonly wanted: string;
}

const BARS = { cases: 150, recall: 0.98, precision: 0.9 };

/** The bars of the source witness. @param cases how many were compiled, @param failed how many got no review */
export function barsOf({ total, mismatches }: Comparison, cases: number, failed: number): Bar[] {
  const safe = mismatches.filter(({ kind }) => kind === "safe").length;
  const [recall, precision] = [recallOf(total), precisionOf(total)];
  return [
    { what: "cases", value: String(cases), holds: cases >= BARS.cases, wanted: `>= ${BARS.cases}` },
    { what: "cases without a review", value: String(failed), holds: failed === 0, wanted: "0" },
    { what: "recall", value: percent(recall), holds: (recall ?? 0) >= BARS.recall, wanted: ">= 98 %" },
    {
      what: "precision",
      value: percent(precision),
      holds: (precision ?? 0) >= BARS.precision,
      wanted: ">= 90 %",
    },
    { what: "safe where the truth is unsafe", value: String(safe), holds: safe === 0, wanted: "0" },
  ];
}

const COLUMNS = ["truth", "found", "missed", "right", "false", "recall", "precision"];

/** A line a rule, those that the bars count first. */
export function renderScores({ rules, total }: Comparison): string {
  const line = (name: string, words: readonly string[]) =>
    `${name.padEnd(24)}${words.map((word) => word.padStart(10)).join("")}\n`;
  const row = (name: string, score: Score) =>
    line(name, [
      ...[score.truth, score.found, score.missed, score.right, score.falseAlarms].map(String),
      percent(recallOf(score)),
      percent(precisionOf(score)),
    ]);
  const rows = (counts: boolean) =>
    FAMILIES.filter((family) => family.counts === counts)
      .flatMap((family) => family.rules)
      .map((rule) => {
        const score = rules.get(rule);
        return score ? row(rule, score) : "";
      })
      .join("");
  return `${line("rule", COLUMNS)}${rows(true)}${row("these together", total)}\nnot counted:\n${rows(false)}`;
}

/** Every mismatch, misses first. */
export function renderMismatches({ mismatches }: Comparison): string {
  return (["safe", "missed", "false alarm"] as const)
    .flatMap((kind) => mismatches.filter((mismatch) => mismatch.kind === kind))
    .map(
      ({ kind, rule, path, symbol, words }) => `${kind}: ${rule} ${symbol ?? ""} in ${path}\n    ${words}\n`,
    )
    .join("");
}

export function renderBars(bars: readonly Bar[]): string {
  return bars
    .map(
      ({ what, value, holds, wanted }) =>
        `${what.padEnd(54)}${value.padStart(9)}  ${holds ? "holds" : "MISSED"} ${wanted}\n`,
    )
    .join("");
}

/** Undefined when there was nothing to find. */
function recallOf({ truth, found }: Score): number | undefined {
  return truth === 0 ? undefined : found / truth;
}

function precisionOf({ right, falseAlarms }: Score): number | undefined {
  return right + falseAlarms === 0 ? undefined : right / (right + falseAlarms);
}

function percent(share: number | undefined): string {
  return share === undefined ? "-" : `${(share * 100).toFixed(1)} %`;
}
