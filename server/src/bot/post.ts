import { setTimeout } from "node:timers/promises";
import type { Review } from "../review/review.js";
import {
  carryOut,
  diffFiles,
  type GitHub,
  headOf,
  type PullRequestName,
  readPosted,
  statusOf,
} from "./github.js";
import { type PullRequest, planComments } from "./plan.js";

const ATTEMPTS = 4;

/** Nothing is posted when the pull request has other commits by now: they get their own reviews. */
export type Outcome =
  | { readonly outcome: "superseded" }
  /** Whether the pull request may have changed what it was reviewed with. */
  | { readonly outcome: "posted"; readonly isForgeable: boolean };

/**
 * Brings the comments of a pull request in line with its reviews. When the answer to a request is lost, all is read again, so
 * that nothing is made twice.
 * @param head the commit that was reviewed
 * @param artifacts address of what the reviews made
 * @throws whatever a request fails with in the end
 */
export async function postReviews(
  github: GitHub,
  name: PullRequestName,
  head: string,
  reviews: readonly Review[],
  artifacts: string,
): Promise<Outcome> {
  let canComment = true;
  for (let attempt = 1; ; attempt++) {
    try {
      const files = await diffFiles(github, name);
      if ((await headOf(github, name)) !== head) return { outcome: "superseded" };
      const isForgeable = changesWorkflows(files);
      const pull: PullRequest = { head, files: canComment ? files : [] };
      const plan = planComments(reviews, pull, await readPosted(github, name), { artifacts, isForgeable });
      await carryOut(github, name, head, plan);
      return { outcome: "posted", isForgeable };
    } catch (error) {
      const status = statusOf(error);
      if (attempt === ATTEMPTS || status === undefined) throw error;
      // A line that GitHub does not take, in whatever way its diff is another than the one it listed.
      if (status === 422 && canComment) canComment = false;
      else if (status < 500) throw error;
      await setTimeout(1000 * attempt);
    }
  }
}

/** GitHub lists no more. */
const MOST_FILES = 3000;

function changesWorkflows(files: readonly { readonly path: string; readonly previous?: string }[]): boolean {
  return (
    files.length >= MOST_FILES ||
    files.some(({ path, previous }) => [path, previous].some((one) => one?.startsWith(".github/")))
  );
}
