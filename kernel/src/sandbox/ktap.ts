/** One result of a KTAP report, with the results nested in it. */
export interface KtapResult {
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped";
  /** What follows the `#` of the result line, such as `SKIP no network` or `TIMEOUT 30 s`; empty when nothing does. */
  readonly remark: string;
  /** Lines since the result before, in order, without their `# `; those that are not KTAP at all included. */
  readonly diagnostics: readonly string[];
  readonly subtests: readonly KtapResult[];
}

/** A report, possibly cut short. */
export interface KtapReport {
  /** Number of results announced, when it was. */
  readonly planned?: number;
  readonly results: readonly KtapResult[];
  /** Lines after the last result. */
  readonly rest: readonly string[];
}

const VERSION = /^(?:KTAP version 1|TAP version 1[34])$/;
const PLAN = /^1\.\.(\d+)/;
const RESULT = /^(ok|not ok) \d+ ?(?:- )?([^#]*?)\s*(?:#\s*(.*))?$/;

/**
 * Reads the kernel's test protocol, version 1 (Documentation/dev-tools/ktap.rst): results, nested by two spaces a
 * level, diagnostics, and lines of any other kind. Lines before the first version line are not looked at.
 * @returns undefined when the text has no version line
 */
export function parseKtap(text: string): KtapReport | undefined {
  const lines = text.split("\n").map((line) => line.replace(/\r$/, ""));
  const start = lines.findIndex((line) => VERSION.test(line));
  return start === -1 ? undefined : level(lines, start + 1, "").report;
}

/** Reads the results of one level of nesting, up to its end or the end of the text. */
function level(
  lines: readonly string[],
  start: number,
  indent: string,
): { report: KtapReport; next: number } {
  const results: KtapResult[] = [];
  let planned: number | undefined;
  let diagnostics: string[] = [];
  let subtests: readonly KtapResult[] = [];
  let at = start;
  for (; at < lines.length; at++) {
    const line = lines[at] ?? "";
    const below = line.startsWith(`${indent}  `) ? line.slice(indent.length + 2) : "";
    if (VERSION.test(below)) {
      const nested = level(lines, at + 1, `${indent}  `);
      subtests = nested.report.results;
      diagnostics.push(...nested.report.rest);
      at = nested.next - 1;
      continue;
    }
    // A result or plan of the level above ends this one; other lines may be indented or not.
    const own = line.startsWith(indent) ? line.slice(indent.length) : undefined;
    if (own === undefined && (RESULT.test(line.trimStart()) || PLAN.test(line.trimStart()))) break;
    const plan = PLAN.exec(own ?? "");
    const result = RESULT.exec(own ?? "");
    if (plan) planned = Number(plan[1]);
    else if (result) {
      const [, word, name = "", remark = ""] = result;
      results.push({ name, outcome: outcome(word, remark), remark, diagnostics, subtests });
      diagnostics = [];
      subtests = [];
    } else if (line.trim() !== "") diagnostics.push(line.trimStart().replace(/^# ?/, ""));
  }
  return { report: { ...(planned === undefined ? {} : { planned }), results, rest: diagnostics }, next: at };
}

function outcome(word: string | undefined, remark: string): KtapResult["outcome"] {
  if (/^skip\b/i.test(remark)) return "skipped";
  return word === "ok" ? "passed" : "failed";
}
