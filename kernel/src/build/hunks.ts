import { diffArrays } from "diff";
import type { PatchHunk } from "./scan-patch.js";

/** A hunk that does not fit, and the place of the file that is nearest to what it expects. */
export interface HunkMismatch {
  /** Which hunk of this file; counts from 1. */
  readonly hunk: number;
  /** Counts from 1, in the text as the hunks before left it unpatched; absent when nothing in it is like the hunk. */
  readonly line?: number;
  /** Counts from 1, in characters; where the first line that differs starts to differ. */
  readonly column?: number;
  /** A clause about the hunk: `expects another line here`. */
  readonly reason: string;
  /** Whether the text has the hunk's change already. */
  readonly isThere: boolean;
  /** The lines expected and found. */
  readonly detail?: string;
}

/**
 * Applies hunks as `git apply` does, at the place nearest to the one that they name, but goes on after one that fails.
 * @param text of the file, one character a byte (latin1)
 * @returns the text with the hunks that fit, and what is known of those that do not
 */
export function applyHunks(
  text: string,
  hunks: readonly PatchHunk[],
): { text: string; mismatches: HunkMismatch[] } {
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const index = new LineIndex(lines);
  const patched: string[] = [];
  const mismatches: HunkMismatch[] = [];
  let done = 0;
  let drift = 0;
  for (const [number, hunk] of hunks.entries()) {
    const { before, after } = sidesOf(hunk);
    const named = (before.length === 0 ? hunk.start : hunk.start - 1) + drift;
    const at = placeFor(index, hunk, before, named, done);
    if (at === undefined) {
      mismatches.push({ hunk: number + 1, ...explain(index, before, after, named) });
      continue;
    }
    for (; done < at; done++) patched.push(lines[done] ?? "");
    for (const line of after) patched.push(line);
    done = at + before.length;
    drift += at - named;
  }
  for (; done < lines.length; done++) patched.push(lines[done] ?? "");
  return { text: patched.join(""), mismatches };
}

/** Lines with their ends. */
function sidesOf({ lines }: PatchHunk): { before: string[]; after: string[] } {
  const before: string[] = [];
  const after: string[] = [];
  for (const [index, line] of lines.entries()) {
    const kind = line[0] ?? " ";
    if (kind === "\\") continue;
    const content = `${line.slice(1)}${lines[index + 1]?.startsWith("\\") ? "" : "\n"}`;
    if (kind !== "+") before.push(content);
    if (kind !== "-") after.push(content);
  }
  return { before, after };
}

/**
 * Where the text before the hunk stands exactly. As in git's `apply.c`, a hunk that names the first line belongs at the
 * beginning, and one without context at its end belongs at the end.
 * @param from lines in front of it are taken
 */
function placeFor(
  index: LineIndex,
  hunk: PatchHunk,
  before: readonly string[],
  named: number,
  from: number,
): number | undefined {
  const { length } = index.lines;
  if (before.length === 0) return named >= from && named <= length ? named : undefined;
  const last = hunk.lines.findLast((line) => !line.startsWith("\\"));
  const atEnd = last?.startsWith("+") === true || last?.startsWith("-") === true;
  const fits = (at: number) =>
    at >= from && !(hunk.start <= 1 && at > 0) && !(atEnd && at + before.length !== length);
  return index.placesOf(before, named).find(fits);
}

type Explanation = Omit<HunkMismatch, "hunk">;

function explain(
  index: LineIndex,
  before: readonly string[],
  after: readonly string[],
  named: number,
): Explanation {
  const [elsewhere] = index.placesOf(before, named);
  if (elsewhere !== undefined) {
    const reason = "fits here, but its context says that it belongs at the beginning or the end of the file";
    return { line: elsewhere + 1, reason, isThere: false };
  }
  const [there] = index.placesOf(after, named);
  if (there !== undefined)
    return { line: there + 1, reason: "changes what has been changed already", isThere: true };
  const window = index.nearest(before, named);
  if (!window) return { reason: "is like nothing in the file", isThere: false };
  return differenceIn(index.lines, before, window);
}

/** Says how a stretch of the file differs from the lines that the hunk expects there. */
function differenceIn(
  lines: readonly string[],
  expected: readonly string[],
  window: { from: number; to: number },
): Explanation {
  const found = lines.slice(window.from, window.to);
  const parts = diffArrays([...expected], found, { maxEditLength: MAX_EDITS });
  if (!parts)
    return { line: window.from + 1, reason: "differs from this place in most lines", isThere: false };
  let line = window.from;
  for (const [at, part] of parts.entries()) {
    // What stands around the hunk in the window is not its business.
    const isMargin = part.added && (at === 0 || at === parts.length - 1);
    if (isMargin || !(part.added || part.removed)) {
      line += part.count;
      continue;
    }
    const next = parts[at + 1];
    const missing = part.removed ? part.value : [];
    const present = part.added ? part.value : next?.added ? next.value : [];
    return {
      line: Math.min(line, lines.length - 1) + 1,
      isThere: false,
      ...firstDifference(missing, present),
    };
  }
  return { line: window.from + 1, reason: "differs from this place", isThere: false };
}

/** @param missing expected lines that are not there, or none @param present lines in their place, or none */
function firstDifference(
  missing: readonly string[],
  present: readonly string[],
): Pick<HunkMismatch, "column" | "reason" | "detail"> {
  const [wanted, seen] = [missing[0], present[0]].map((line) =>
    line === undefined ? undefined : decoded(line),
  );
  const detail = [...quoted("expected", missing), ...quoted("found", present)].join("\n");
  if (wanted === undefined) return { reason: "does not know a line that is here", column: 1, detail };
  if (seen === undefined) return { reason: "expects a line here that is not there", column: 1, detail };
  const isBlank = missing.map(collapsed).join("\n") === present.map(collapsed).join("\n");
  return {
    reason: isBlank ? "expects other white space here" : "expects another line here",
    column: commonPrefix(wanted, seen) + 1,
    detail,
  };
}

function quoted(label: string, lines: readonly string[]): string[] {
  const shown = lines
    .slice(0, SHOWN)
    .map((line) => `${`${label}:`.padEnd(10)}${decoded(line).slice(0, 200)}`);
  return lines.length > SHOWN ? [...shown, `${"".padEnd(10)}… ${lines.length - SHOWN} more`] : shown;
}

function decoded(line: string): string {
  return Buffer.from(line.replace(/\n$/, ""), "latin1").toString();
}

function collapsed(line: string): string {
  return line.replace(/\s+/g, " ").trim();
}

function commonPrefix(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}

const MAX_EDITS = 200;
const SHOWN = 5;
/** A line that stands in more places tells nothing about where a hunk belongs. */
const COMMON = 16;
/** Comparisons of lines that one file may cost: enough for thousands of hunks, an end for hostile ones. */
const WORK = 2_000_000;
/** How far, in lines, the parts of one hunk may have moved from each other. */
const SPREAD = 20;

/** Finds lines and stretches of them in a file without comparing with every line. */
class LineIndex {
  readonly lines: readonly string[];
  private readonly exact = new Map<string, number[]>();
  private alike: Map<string, number[]> | undefined;
  private work = 0;

  constructor(lines: readonly string[]) {
    this.lines = lines;
    for (const [at, line] of lines.entries()) add(this.exact, line, at);
  }

  /** Where all these lines stand in a row, nearest to `near` first. */
  placesOf(wanted: readonly string[], near: number): number[] {
    let rarest: { at: number; places: readonly number[] } | undefined;
    for (const [at, line] of wanted.entries()) {
      const places = this.exact.get(line);
      if (!places) return [];
      if (!rarest || places.length < rarest.places.length) rarest = { at, places };
    }
    if (!rarest) return [];
    const offset = rarest.at;
    return rarest.places
      .map((place) => place - offset)
      .filter((place) => this.standsAt(wanted, place))
      .sort((a, b) => Math.abs(a - near) - Math.abs(b - near));
  }

  private standsAt(wanted: readonly string[], place: number): boolean {
    if (place < 0 || place + wanted.length > this.lines.length) return false;
    for (const [at, line] of wanted.entries()) {
      if (++this.work > WORK || this.lines[place + at] !== line) return false;
    }
    return true;
  }

  /** The stretch that most of these lines point to, white space aside: behind its last line `to`. */
  nearest(wanted: readonly string[], near: number): { from: number; to: number } | undefined {
    if (!this.alike) {
      this.alike = new Map();
      for (const [at, line] of this.lines.entries()) add(this.alike, collapsed(line), at);
    }
    const votes = new Map<number, number>();
    let telling = 0;
    for (const [at, line] of wanted.entries()) {
      const text = collapsed(line);
      const places = this.alike.get(text) ?? [];
      // Braces and empty lines stand everywhere.
      if (text.length < 3 || places.length > COMMON) continue;
      telling++;
      this.work += places.length;
      if (this.work > WORK) break;
      for (const place of places) votes.set(place - at, (votes.get(place - at) ?? 0) + 1);
    }
    let best: number | undefined;
    const weigh = (at: number) => votes.get(at) ?? 0;
    for (const at of votes.keys())
      if (
        best === undefined ||
        weigh(at) > weigh(best) ||
        (weigh(at) === weigh(best) && Math.abs(at - near) < Math.abs(best - near))
      )
        best = at;
    // One line of many may stand anywhere.
    if (best === undefined || (weigh(best) < 2 && telling > 2)) return undefined;
    const around = best;
    const moved = [...votes.keys()].filter((at) => Math.abs(at - around) <= SPREAD);
    return {
      from: Math.max(0, Math.min(...moved)),
      to: Math.min(this.lines.length, Math.max(...moved) + wanted.length),
    };
  }
}

function add(map: Map<string, number[]>, key: string, at: number): void {
  const places = map.get(key);
  if (places) places.push(at);
  else map.set(key, [at]);
}
