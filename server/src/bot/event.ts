import { type Static, Type } from "typebox";
import { Value } from "typebox/value";

/** What a workflow runs for: a commit, and the pull request that it is the end of, as far as the event tells. */
export interface Reviewed {
  readonly head: string;
  /** Of the pull request; absent where it must be looked for by its branch. */
  readonly number?: number;
  /** `OWNER:BRANCH` that the pull request comes from. */
  readonly branch?: string;
  /** Id of the run that made the reports, when it is another than ours. */
  readonly run?: number;
}

const sha = Type.String({ pattern: "^[0-9a-f]{40}([0-9a-f]{24})?$" });
const number = Type.Integer({ minimum: 1 });

/** https://docs.github.com/webhooks/webhook-events-and-payloads#pull_request */
const PullRequestEvent = Type.Object({ pull_request: Type.Object({ number, head: Type.Object({ sha }) }) });
/**
 * https://docs.github.com/webhooks/webhook-events-and-payloads#workflow_run; its `pull_requests` is empty for forks, and a
 * number in an artifact would be the forker's to choose.
 */
const WorkflowRunEvent = Type.Object({
  workflow_run: Type.Object({
    id: number,
    event: Type.String(),
    head_sha: sha,
    head_branch: Type.String(),
    head_repository: Type.Object({ owner: Type.Object({ login: Type.String() }) }),
  }),
});

/**
 * What an event says is to be reviewed.
 * @param payload of GITHUB_EVENT_PATH
 * @returns undefined for an event that is about no pull request
 */
export function reviewedBy(event: string, payload: unknown): Reviewed | undefined {
  if (event.startsWith("pull_request") && Value.Check(PullRequestEvent, payload)) {
    const { pull_request: pull }: Static<typeof PullRequestEvent> = payload;
    return { head: pull.head.sha, number: pull.number };
  }
  if (event !== "workflow_run" || !Value.Check(WorkflowRunEvent, payload)) return undefined;
  const { workflow_run: run }: Static<typeof WorkflowRunEvent> = payload;
  if (run.event !== "pull_request") return undefined;
  const branch = `${run.head_repository.owner.login}:${run.head_branch}`;
  return { head: run.head_sha, branch, run: run.id };
}
