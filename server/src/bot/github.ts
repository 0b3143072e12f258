import { Octokit } from "@octokit/core";
import { paginateRest } from "@octokit/plugin-paginate-rest";
import { retry } from "@octokit/plugin-retry";
import { throttling } from "@octokit/plugin-throttling";
import { tool } from "../review/tool.js";
import { markOf } from "./comment.js";
import type { DiffFile, InlineComment, Plan, Posted, Thread } from "./plan.js";
import { isSummary } from "./summary.js";

const Client = Octokit.plugin(paginateRest, retry, throttling);
export type GitHub = InstanceType<typeof Client>;

/** Seconds that we wait for a limit to pass; a runner's minutes cost more than a second run. */
const PATIENCE = 300;

/**
 * A client that waits between writes and after limits, pages, and tries again what failed, as GitHub documents it
 * (https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api).
 * @param apiUrl such as `https://api.github.com`
 * @param pace in place of the one that GitHub asks for; for tests
 */
export function connect(token: string, apiUrl: string, pace: Pace = {}): GitHub {
  const waits = (seconds: number, _request: object, _client: object, retries: number) =>
    seconds <= PATIENCE && retries < 3;
  return new Client({
    auth: token,
    baseUrl: apiUrl,
    userAgent: `${tool.name}/${tool.version}`,
    throttle: { onRateLimit: waits, onSecondaryRateLimit: waits, ...pace.throttle },
    ...(pace.retry && { retry: pace.retry }),
    // What went wrong is told once, by whoever called.
    log: { debug() {}, info() {}, warn() {}, error() {} },
  });
}

/** Options of the two plugins that wait. */
export interface Pace {
  readonly throttle?: object;
  readonly retry?: object;
}

export interface PullRequestName {
  readonly owner: string;
  readonly repo: string;
  readonly number: number;
}

/** What a pull request changes, file by file; GitHub lists no more than 3000. */
export async function diffFiles(
  github: GitHub,
  { owner, repo, number }: PullRequestName,
): Promise<(DiffFile & { readonly previous?: string })[]> {
  const files = await github.paginate("GET /repos/{owner}/{repo}/pulls/{pull_number}/files", {
    owner,
    repo,
    pull_number: number,
    per_page: 100,
  });
  return files.map(({ filename, patch, previous_filename }) => ({
    path: filename,
    ...(patch !== undefined && { patch }),
    ...(previous_filename !== undefined && { previous: previous_filename }),
  }));
}

/** The last commit of a pull request. */
export async function headOf(github: GitHub, { owner, repo, number }: PullRequestName): Promise<string> {
  const { data } = await github.request("GET /repos/{owner}/{repo}/pulls/{pull_number}", {
    owner,
    repo,
    pull_number: number,
  });
  return data.head.sha;
}

/**
 * The open pull request from a branch that ends in a commit.
 * @param branch `OWNER:BRANCH`
 */
export async function pullRequestFrom(
  github: GitHub,
  { owner, repo }: Omit<PullRequestName, "number">,
  branch: string,
  head: string,
): Promise<number | undefined> {
  const pulls = await github.paginate("GET /repos/{owner}/{repo}/pulls", {
    owner,
    repo,
    state: "open",
    head: branch,
    per_page: 100,
  });
  return pulls.find((pull) => pull.head.sha === head)?.number;
}

/** Tells at a commit how its review ended; what a branch requires can be this. */
export async function setStatus(
  github: GitHub,
  { owner, repo }: Omit<PullRequestName, "number">,
  sha: string,
  status: {
    readonly state: "success" | "failure";
    readonly description: string;
    readonly target_url: string;
  },
): Promise<void> {
  const context = "hotpatch";
  await github.request("POST /repos/{owner}/{repo}/statuses/{sha}", { owner, repo, sha, context, ...status });
}

interface Page<Node> {
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
  readonly nodes: readonly Node[];
}

interface Comment {
  readonly id: string;
  readonly body: string;
  readonly viewerDidAuthor: boolean;
}

interface Answer<Connection> {
  readonly repository: { readonly pullRequest: Connection };
}

const THREADS = `query ($owner: String!, $repo: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $repo) { pullRequest(number: $number) {
    reviewThreads(first: 50, after: $after) {
      pageInfo { hasNextPage endCursor }
      nodes { id isResolved comments(first: 1) { totalCount nodes { id body viewerDidAuthor } } }
    }
  } }
}`;

const COMMENTS = `query ($owner: String!, $repo: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $repo) { pullRequest(number: $number) {
    comments(first: 100, after: $after) {
      pageInfo { hasNextPage endCursor }
      nodes { id body viewerDidAuthor }
    }
  } }
}`;

/** What we wrote before, as far as it is marked as ours; what others wrote with our marks is theirs. */
export async function readPosted(github: GitHub, name: PullRequestName): Promise<Posted> {
  type ThreadNode = {
    id: string;
    isResolved: boolean;
    comments: { totalCount: number; nodes: readonly Comment[] };
  };
  const threads = await pages(async (after) => {
    const answer = await github.graphql<Answer<{ reviewThreads: Page<ThreadNode> }>>(THREADS, {
      ...name,
      after,
    });
    return answer.repository.pullRequest.reviewThreads;
  });
  const comments = await pages(async (after) => {
    const answer = await github.graphql<Answer<{ comments: Page<Comment> }>>(COMMENTS, { ...name, after });
    return answer.repository.pullRequest.comments;
  });
  const summary = comments.find(({ body, viewerDidAuthor }) => viewerDidAuthor && isSummary(body));
  return {
    ...(summary && { summary: { id: summary.id, body: summary.body } }),
    threads: threads.flatMap(({ id, isResolved, comments: { totalCount, nodes } }): Thread[] => {
      const [first] = nodes;
      if (!first?.viewerDidAuthor || !markOf(first.body)) return [];
      return [{ id, commentId: first.id, body: first.body, isResolved, isAnswered: totalCount > 1 }];
    }),
  };
}

async function pages<Node>(page: (after: string | null) => Promise<Page<Node>>): Promise<Node[]> {
  const all: Node[] = [];
  let after: string | null = null;
  do {
    const { nodes, pageInfo }: Page<Node> = await page(after);
    all.push(...nodes);
    after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
  } while (after !== null);
  return all;
}

const UPDATE_SUMMARY = `mutation ($id: ID!, $body: String!) {
  updateIssueComment(input: { id: $id, body: $body }) { issueComment { id } }
}`;
const UPDATE_COMMENT = `mutation ($id: ID!, $body: String!) {
  updatePullRequestReviewComment(input: { pullRequestReviewCommentId: $id, body: $body }) { pullRequestReviewComment { id } }
}`;
const RESOLVE = `mutation ($id: ID!) { resolveReviewThread(input: { threadId: $id }) { thread { id } } }`;
const REOPEN = `mutation ($id: ID!) { unresolveReviewThread(input: { threadId: $id }) { thread { id } } }`;

/** GitHub is known to time out over larger reviews. */
const COMMENTS_OF_A_REVIEW = 20;

/**
 * Carries a plan out. What it makes anew is asked for once only: when an answer is lost, nobody knows whether it was made, and
 * what is there must be read again.
 * @throws whatever a request fails with
 */
export async function carryOut(
  github: GitHub,
  name: PullRequestName,
  head: string,
  plan: Plan,
): Promise<void> {
  const { owner, repo, number } = name;
  const once = { retries: 0 };
  for (let at = 0; at < plan.add.length; at += COMMENTS_OF_A_REVIEW) {
    const comments = plan.add.slice(at, at + COMMENTS_OF_A_REVIEW);
    await github.request("POST /repos/{owner}/{repo}/pulls/{pull_number}/reviews", {
      owner,
      repo,
      pull_number: number,
      commit_id: head,
      event: "COMMENT",
      body: "Found in a hot patch review; the summary is in a comment of its own.",
      comments: comments.map(reviewComment),
      request: once,
    });
  }
  for (const { commentId, body } of plan.update)
    await github.graphql(UPDATE_COMMENT, { id: commentId, body });
  if (plan.summary?.id !== undefined)
    await github.graphql(UPDATE_SUMMARY, { id: plan.summary.id, body: plan.summary.body });
  else if (plan.summary)
    await github.request("POST /repos/{owner}/{repo}/issues/{issue_number}/comments", {
      owner,
      repo,
      issue_number: number,
      body: plan.summary.body,
      request: once,
    });
  try {
    for (const id of plan.resolve) await github.graphql(RESOLVE, { id });
    for (const id of plan.reopen) await github.graphql(REOPEN, { id });
  } catch (error) {
    // Takes a token that may write contents, which we do not ask for: the comment says it, and stays open.
    if (!isForbidden(error)) throw error;
  }
}

function reviewComment({ path, line, endLine, body }: InlineComment) {
  return {
    path,
    body,
    line: endLine,
    side: "RIGHT",
    ...(endLine > line && { start_line: line, start_side: "RIGHT" }),
  };
}

/** Whether the token lacks a permission: as REST says it, or as GraphQL does. */
export function isForbidden(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // Limits are told with the same status.
  if (statusOf(error) === 403) return !/rate limit/i.test(error.message);
  const errors = "errors" in error && Array.isArray(error.errors) ? error.errors : [];
  return errors.some(({ type }: { type?: unknown }) => type === "FORBIDDEN");
}

/** HTTP status of a failed request; undefined for what is none. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof Error && "status" in error && typeof error.status === "number"
    ? error.status
    : undefined;
}
