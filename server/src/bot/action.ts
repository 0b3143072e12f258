import { appendFile, readFile } from "node:fs/promises";
import { exitStatus, Fault } from "@kernel-hotpatch/kernel/host/fault";
import { printableLine } from "../render/printable.js";
import { workflowCommand } from "../render/workflow-command.js";
import type { Review } from "../review/review.js";
import { reaches, verdictOf } from "../review/verdict.js";
import { SEVERITIES } from "../rules/rule.js";
import { type Reviewed, reviewedBy } from "./event.js";
import { foundBy } from "./found.js";
import {
  connect,
  type GitHub,
  isForbidden,
  type PullRequestName,
  pullRequestFrom,
  setStatus,
  statusOf,
} from "./github.js";
import { type Outcome, postReviews } from "./post.js";
import { readReport } from "./reports.js";
import { summaryComment } from "./summary.js";

// The GitHub Action (action.yml). It holds a token, and therefore runs nothing and reads nothing but reports.
process.exitCode = await action(process.env);

type Environment = Readonly<Record<string, string | undefined>>;

/** @returns exit status, as `hotpatch` has it; 3 when GitHub cannot be asked */
async function action(env: Environment): Promise<number> {
  try {
    return await reportReviews(env);
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    const remedy = error instanceof Fault && error.remedy ? ` (${error.remedy})` : "";
    say("error", `${words}${remedy}`);
    return statusOf(error) === undefined ? exitStatus(error) : 3;
  }
}

async function reportReviews(env: Environment): Promise<number> {
  const failOn = SEVERITIES.find((severity) => severity === (input(env, "fail-on") || "unsafe"));
  if (!failOn) throw new Fault("bad-input", `fail-on must be one of ${SEVERITIES.join(", ")}`);
  const paths = input(env, "reports")
    .split("\n")
    .map((path) => path.trim())
    .filter((path) => path !== "");
  if (paths.length === 0) throw new Fault("bad-input", "no reports are named");
  const reviews: Review[] = [];
  for (const path of paths) reviews.push(await readReport(path));

  const found = foundBy(reviews);
  const findings = found.map(({ finding }) => finding);
  const verdict = verdictOf(findings);
  await appendFile(needed(env, "GITHUB_OUTPUT"), `verdict=${verdict}\n`);

  const reviewed = await reviewedIn(env);
  const [owner = "", repo = ""] = needed(env, "GITHUB_REPOSITORY").split("/");
  const run = reviewed.run ?? needed(env, "GITHUB_RUN_ID");
  const artifacts = `${needed(env, "GITHUB_SERVER_URL")}/${owner}/${repo}/actions/runs/${run}`;
  const content = {
    reviews,
    head: reviewed.head,
    found,
    inline: new Set<never>(),
    artifacts,
    isForgeable: false,
  };
  await appendFile(needed(env, "GITHUB_STEP_SUMMARY"), summaryComment(content));

  const github = connect(input(env, "token"), needed(env, "GITHUB_API_URL"));
  const number = await numberOf(github, owner, repo, reviewed);
  if (number === undefined) say("notice", `no open pull request ends in ${reviewed.head}: nothing is posted`);
  const posted =
    number === undefined
      ? undefined
      : await post(github, { owner, repo, number }, reviewed.head, reviews, artifacts);
  if (posted?.outcome === "superseded")
    say("notice", "the pull request has newer commits: nothing is posted");

  // On workflow_run, who can change what made the report can have it say anything.
  const isChecked = reviewed.run !== undefined && posted?.outcome === "posted";
  const isForged = isChecked && posted.isForgeable;
  const failed = reaches(findings, failOn) || isForged;
  const description = isForged ? `${verdict}, by workflows that are changed here` : `verdict: ${verdict}`;
  // A commit that is the head of nothing now may be so again: a status would then stand there unchecked.
  if (isChecked)
    await setStatus(github, { owner, repo }, reviewed.head, {
      state: failed ? "failure" : "success",
      description,
      target_url: artifacts,
    });
  say("notice", description);
  return failed ? 1 : 0;
}

/** @returns undefined when the token may not write, as in a pull request from a fork */
async function post(
  github: GitHub,
  name: PullRequestName,
  head: string,
  reviews: readonly Review[],
  artifacts: string,
): Promise<Outcome | undefined> {
  try {
    return await postReviews(github, name, head, reviews, artifacts);
  } catch (error) {
    if (!isForbidden(error)) throw error;
    say(
      "warning",
      "the token may not comment here: the review is in the summary of this run only (docs/pull-requests.md)",
    );
    return undefined;
  }
}

async function reviewedIn(env: Environment): Promise<Reviewed> {
  const event = needed(env, "GITHUB_EVENT_NAME");
  const reviewed = reviewedBy(event, JSON.parse(await readFile(needed(env, "GITHUB_EVENT_PATH"), "utf8")));
  if (!reviewed)
    throw new Fault("bad-input", `'${event}' is about no pull request`, {
      remedy: "run this on pull_request or workflow_run",
    });
  return reviewed;
}

async function numberOf(
  github: GitHub,
  owner: string,
  repo: string,
  { number, branch, head }: Reviewed,
): Promise<number | undefined> {
  if (number !== undefined || branch === undefined) return number;
  return await pullRequestFrom(github, { owner, repo }, branch, head);
}

/** The runner hands inputs over like this, and makes the names upper case. */
function input(env: Environment, name: string): string {
  return (env[`INPUT_${name.toUpperCase()}`] ?? "").trim();
}

function needed(env: Environment, name: string): string {
  const value = env[name];
  if (!value)
    throw new Fault("bad-input", `${name} is not set`, { remedy: "this runs as a step of a workflow only" });
  return value;
}

function say(kind: "notice" | "warning" | "error", words: string): void {
  process.stdout.write(`${workflowCommand(kind, [["title", "hotpatch"]], printableLine(words))}\n`);
}
