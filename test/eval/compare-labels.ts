import type { Review } from "@kernel-hotpatch/server/review/review";
import type { Label, Truth } from "./truth.js";

/** What the source witness said of one case. */
export interface Judged {
  readonly path: string;
  readonly truth: Truth;
  readonly isBuilt: boolean;
  readonly verdict: Review["verdict"];
  readonly findings: readonly Said[];
}

/** What of a finding is compared. */
export type Said = Pick<Review["findings"][number], "rule" | "severity" | "symbol" | "line" | "message">;

/** Rules that say the same of a symbol, so that one may stand for another, and whether the bars count them. */
export interface Family {
  readonly name: string;
  readonly rules: readonly string[];
  readonly counts: boolean;
}

export const FAMILIES: readonly Family[] = [
  {
    name: "data",
    rules: ["static-data-changed", "ops-table-changed", "percpu-changed", "section-placement"],
    counts: true,
  },
  { name: "new data", rules: ["data-added", "static-local-added"], counts: true },
  { name: "static local gone", rules: ["static-local-removed"], counts: true },
  { name: "init", rules: ["init-code", "exit-code"], counts: true },
  { name: "layout", rules: ["data-layout", "data-layout-local"], counts: true },
  { name: "exports", rules: ["export-changed"], counts: true },
  { name: "not traceable", rules: ["not-traceable", "inline-not-traceable"], counts: true },
  { name: "not built", rules: ["not-built"], counts: true },
  { name: "prototype", rules: ["prototype-changed"], counts: true },
  { name: "enumerators", rules: ["constant-meaning", "enumerator-added"], counts: false },
  { name: "function gone", rules: ["function-removed"], counts: false },
  { name: "nothing compiled", rules: ["compiled-out", "no-functional-change"], counts: false },
  { name: "once", rules: ["once-macro"], counts: false },
];

/** Figures of one rule, or of several. */
export interface Score {
  /** Labels without doubt. */
  readonly truth: number;
  readonly found: number;
  readonly missed: number;
  /** Findings that a label bears out. */
  readonly right: number;
  readonly falseAlarms: number;
}

export interface Mismatch {
  readonly kind: "missed" | "false alarm" | "safe";
  readonly rule: string;
  readonly path: string;
  readonly symbol?: string;
  /** The truth's evidence, or the finding's message. */
  readonly words: string;
}

export interface Comparison {
  readonly rules: ReadonlyMap<string, Score>;
  /** Of the families that count. */
  readonly total: Score;
  readonly mismatches: readonly Mismatch[];
}

/**
 * Holds findings against labels. A label is found when a finding of its family names its symbol; a finding that no label
 * of its family bears out is a false alarm. Labels in doubt demand nothing and excuse what is said about them.
 */
export function compareLabels(judged: readonly Judged[]): Comparison {
  const scores = new Map<string, Writable<Score>>();
  const total = noScore();
  const mismatches: Mismatch[] = [];
  const count = ({ counts }: Family, rule: string, key: keyof Score) => {
    const score = scores.get(rule) ?? noScore();
    score[key]++;
    scores.set(rule, score);
    if (counts) total[key]++;
  };
  for (const one of judged) {
    for (const family of FAMILIES) {
      // About a file that is not compiled, objects say nothing but that.
      if (!one.isBuilt && family.name !== "not built") continue;
      const labels = one.truth.labels.filter(({ rule }) => family.rules.includes(rule));
      const findings = one.findings.filter(({ rule }) => family.rules.includes(rule));
      for (const label of labels.filter(({ doubt }) => doubt === undefined)) {
        const isFound = findings.some((finding) => bearsOut(label, finding));
        count(family, label.rule, "truth");
        count(family, label.rule, isFound ? "found" : "missed");
        if (!isFound) mismatches.push({ kind: "missed", ...about(one, label, label.evidence) });
      }
      for (const finding of findings) {
        const agreeing = labels.filter((label) => bearsOut(label, finding));
        if (agreeing.some(({ doubt }) => doubt === undefined) || isConfirmed(one, finding))
          count(family, finding.rule, "right");
        else if (agreeing.length === 0) {
          count(family, finding.rule, "falseAlarms");
          mismatches.push({
            kind: "false alarm",
            ...about(one, finding, `${finding.line}: ${finding.message}`),
          });
        }
      }
    }
    if (one.verdict === "safe") mismatches.push(...offences(one));
  }
  return { rules: scores, total, mismatches };
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

function noScore(): Writable<Score> {
  return { truth: 0, found: 0, missed: 0, right: 0, falseAlarms: 0 };
}

function about({ path }: Judged, { rule, symbol }: { rule: string; symbol?: string }, words: string) {
  return { rule, path, ...(symbol !== undefined && { symbol }), words };
}

function bearsOut(label: Label, { symbol }: Said): boolean {
  if (label.symbol === undefined || symbol === undefined) return true;
  const said = plainName(symbol);
  return [label.symbol, ...label.also].some((name) => plainName(name) === said);
}

/** That a function's change is compiled out is right as long as its code is the same, whatever else the file holds. */
function isConfirmed({ truth }: Judged, { rule, symbol }: Said): boolean {
  return rule === "compiled-out" && symbol !== undefined && !truth.changed.includes(plainName(symbol));
}

/**
 * The bare name in what a finding or a label calls its symbol: `EXPORT_SYMBOL(f)`, `struct s`, `f.x`, `x.12`, and
 * `__x64_sys_open` and its like for what both the kernel's tables and people call `sys_open`
 * (arch/x86/include/asm/syscall_wrapper.h, include/linux/syscalls.h).
 */
export function plainName(symbol: string): string {
  return symbol
    .replace(/^\w+\((\w+).*\)$/, "$1")
    .replace(/^(struct|union|enum) /, "")
    .replace(/\.\d+$/, "")
    .replace(/^.*\./, "")
    .replace(/^__(?:(?:do|se|x64|ia32|arm64)_)+(?=(?:compat_)?sys_)/, "");
}

/**
 * Rules whose finding may weigh a case as harmless: a type or a function that only patched code knows. That there is one
 * is enough; for all others, `safe` is wrong whatever was found.
 */
const WEIGHED: ReadonlySet<string> = new Set(["data-layout", "prototype-changed"]);

function offences(one: Judged): Mismatch[] {
  const family = (label: Label) => FAMILIES.find(({ rules }) => rules.includes(label.rule));
  const isWeighed = (label: Label) =>
    WEIGHED.has(label.rule) &&
    one.findings.some((finding) => family(label)?.rules.includes(finding.rule) && bearsOut(label, finding));
  return one.truth.labels
    .filter((label) => label.isUnsafe && !isWeighed(label))
    .map((label) => ({ kind: "safe", ...about(one, label, label.evidence) }));
}
