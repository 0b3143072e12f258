import { type DiffLine, lineOf, linesAfter } from "../render/diff-lines.js";
import type { Finding } from "../review/finding.js";
import type { Review } from "../review/review.js";
import { closedComment, markOf, openComment } from "./comment.js";
import { type Found, foundBy } from "./found.js";
import { suggestionFor } from "./suggestion.js";
import { summaryComment } from "./summary.js";

/** A pull request, as far as comments depend on it. */
export interface PullRequest {
  /** Its last commit. */
  readonly head: string;
  readonly files: readonly DiffFile[];
}

export interface DiffFile {
  readonly path: string;
  /** Hunks; absent where there are none to be seen, or too many. */
  readonly patch?: string;
}

/** A comment of ours at a line, and what became of it. */
export interface Thread {
  readonly id: string;
  readonly commentId: string;
  readonly body: string;
  readonly isResolved: boolean;
  readonly isAnswered: boolean;
}

/** What we wrote before. */
export interface Posted {
  readonly summary?: { readonly id: string; readonly body: string };
  readonly threads: readonly Thread[];
}

/** A comment to be made at lines of the file after the change. */
export interface InlineComment {
  readonly path: string;
  readonly line: number;
  readonly endLine: number;
  readonly body: string;
}

/** What is to be done so that the pull request shows the reviews; empty where it does. */
export interface Plan {
  readonly summary?: { readonly id?: string; readonly body: string };
  readonly add: readonly InlineComment[];
  readonly update: readonly { readonly commentId: string; readonly body: string }[];
  /** Ids of threads. */
  readonly resolve: readonly string[];
  readonly reopen: readonly string[];
}

/** What a summary says beside the reviews. */
export interface Surroundings {
  /** Where `patch.ko`, reports and console logs can be fetched. */
  readonly artifacts: string;
  /** Whether the pull request may have changed what it was reviewed with. */
  readonly isForgeable: boolean;
}

/** More are a burden; the summary has the others. */
const MOST_INLINE = 30;

/**
 * How the comments of a pull request become what the reviews say now. Nothing is said twice, what a person answered or
 * resolved is left as it is, and what is no longer found is marked so and resolved.
 * @param reviews of the same patch, one for each kernel
 */
export function planComments(
  reviews: readonly Review[],
  pull: PullRequest,
  posted: Posted,
  surroundings: Surroundings,
): Plan {
  const found = foundBy(reviews);
  const lines = new Map(pull.files.map(({ path, patch }) => [path, linesAfter(patch ?? "", path)]));
  const threads = new Map<string, Thread>();
  for (const thread of posted.threads) {
    const print = markOf(thread.body)?.print;
    if (print !== undefined && !threads.has(print)) threads.set(print, thread);
  }

  const inline = new Set<Found>();
  const add: InlineComment[] = [];
  const update: { commentId: string; body: string }[] = [];
  const resolve: string[] = [];
  const reopen: string[] = [];
  for (const one of found) {
    const { finding, print } = one;
    if (!isCommented(finding)) continue;
    const own = lines.get(finding.file ?? "") ?? [];
    const place = lineOf(finding, own);
    const thread = threads.get(print);
    if (place && (thread || inline.size < MOST_INLINE)) inline.add(one);
    const comment = commentOf(one, place, own, reviews.length);
    if (!thread) {
      if (place && inline.has(one)) add.push({ path: place.file, ...comment });
      continue;
    }
    const isClosed = markOf(thread.body)?.state === "closed";
    if (thread.isAnswered || (thread.isResolved && !isClosed)) continue;
    if (asPosted(thread.body) !== asPosted(comment.body))
      update.push({ commentId: thread.commentId, body: comment.body });
    if (thread.isResolved) reopen.push(thread.id);
  }

  const findings = new Map(found.map((one) => [one.print, one.finding]));
  for (const [print, thread] of threads) {
    const finding = findings.get(print);
    if ((finding && isCommented(finding)) || thread.isAnswered || thread.isResolved) continue;
    const reason = finding ? "No longer counts." : `No longer found in ${pull.head.slice(0, 12)}.`;
    if (markOf(thread.body)?.state === "open")
      update.push({ commentId: thread.commentId, body: closedComment(print, thread.body, reason) });
    resolve.push(thread.id);
  }

  const body = summaryComment({ ...surroundings, reviews, head: pull.head, found, inline });
  const isSaid = posted.summary && asPosted(posted.summary.body) === asPosted(body);
  return {
    ...(isSaid ? {} : { summary: { ...(posted.summary && { id: posted.summary.id }), body } }),
    add,
    update,
    resolve,
    reopen,
  };
}

/** All else is in the summary alone. */
function isCommented({ suppressed, severity }: Finding): boolean {
  return !suppressed && severity !== "info";
}

function commentOf(
  { print, finding, kernels }: Found,
  place: DiffLine | undefined,
  lines: readonly DiffLine[],
  asked: number,
) {
  const suggestion = place && suggestionFor(finding, place, lines);
  const line = place?.line ?? 0;
  return {
    line: suggestion?.line ?? line,
    endLine: suggestion?.endLine ?? line,
    body: openComment(print, finding, suggestion, kernels.length < asked ? kernels : []),
  };
}

/** Pages keep texts with other line ends, and without blanks at the end. */
function asPosted(body: string): string {
  return body.replaceAll("\r\n", "\n").trim();
}
