import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sampleFinding, samplePatch, sampleReview } from "@kernel-hotpatch/server/render/sample-review";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type State, startGitHub } from "./github/server.js";
import type { Ended } from "./hotpatch.js";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const MANIFEST = readFileSync(join(ROOT, "action.yml"), "utf8");
const MAIN = join(ROOT, /^ {2}main: (.+)$/m.exec(MANIFEST)?.[1] ?? "");
const HEAD = "0".repeat(40);
const PATCH = samplePatch.slice(samplePatch.indexOf("@@"), samplePatch.indexOf("\n-- "));
const FILE = { filename: "mm/a.c", status: "modified", patch: PATCH };
const PULL_REQUEST = { action: "synchronize", pull_request: { number: 7, head: { sha: HEAD } } };
const WORKFLOW_RUN = {
  action: "completed",
  workflow_run: {
    id: 99,
    event: "pull_request",
    head_sha: HEAD,
    head_branch: "fix",
    head_repository: { owner: { login: "stranger" } },
    pull_requests: [],
  },
};
const UNSAFE = JSON.stringify(sampleReview([sampleFinding]));
const SAFE = JSON.stringify(sampleReview([]));

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "action-"));
});

afterAll(() => rmSync(folder, { recursive: true }));

interface Start {
  readonly report?: string;
  readonly event?: string;
  readonly payload?: object;
  readonly state?: Partial<State>;
  readonly env?: Readonly<Record<string, string>>;
}

interface Run extends Ended {
  readonly state: State;
  readonly log: readonly string[];
  readonly output: string;
  readonly summary: string;
}

let runs = 0;

/** Runs the action as a runner does, against a server of its own; the environment holds nothing else. */
async function runAction({
  report,
  event = "pull_request",
  payload = PULL_REQUEST,
  state,
  env,
}: Start): Promise<Run> {
  const server = await startGitHub({ files: [FILE], ...state });
  const file = (name: string, text: string) => {
    const path = join(folder, `${runs}-${name}`);
    writeFileSync(path, text);
    return path;
  };
  runs++;
  const paths = { output: file("output", ""), summary: file("summary", "") };
  const child = spawn(process.execPath, [MAIN], {
    cwd: folder,
    env: {
      INPUT_REPORTS: file("report.json", report ?? UNSAFE),
      INPUT_TOKEN: "the-token",
      "INPUT_FAIL-ON": "unsafe",
      GITHUB_API_URL: server.url,
      GITHUB_EVENT_NAME: event,
      GITHUB_EVENT_PATH: file("event.json", JSON.stringify(payload)),
      GITHUB_OUTPUT: paths.output,
      GITHUB_REPOSITORY: "o/r",
      GITHUB_RUN_ID: "42",
      GITHUB_SERVER_URL: "https://github.com",
      GITHUB_STEP_SUMMARY: paths.summary,
      ...env,
    },
  });
  const said = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    said.stdout += chunk;
  });
  child.stderr.on("data", (chunk: Buffer) => {
    said.stderr += chunk;
  });
  const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
  await server.close();
  expect(server.problems).toEqual([]);
  expect(said.stderr).toBe("");
  for (const line of said.stdout.trimEnd().split("\n"))
    expect(line).toMatch(/^::(?:notice|warning|error) title=hotpatch::/);
  const { state: kept, log } = server;
  return {
    status,
    ...said,
    state: kept,
    log,
    output: readFileSync(paths.output, "utf8"),
    summary: readFileSync(paths.summary, "utf8"),
  };
}

describe.concurrent("the action", () => {
  test("on a pull request: comments, summary, output, and a status that a branch can require", async ({
    expect,
  }) => {
    const { status, state, output, summary } = await runAction({});
    expect(status).toBe(1);
    expect(output).toBe("verdict=unsafe\n");
    expect(summary).toContain("`mm/a.c:12:20`");
    expect(state).toMatchObject({
      reviews: 1,
      comments: [{ body: expect.stringContaining("(https://github.com/o/r/actions/runs/42)") }],
    });
    expect(state.statuses).toEqual([]);
  });

  test("passes what weighs less", async ({ expect }) => {
    const report = JSON.stringify(sampleReview([{ ...sampleFinding, severity: "needs-review" }]));
    expect(await runAction({ report })).toMatchObject({ status: 0, output: "verdict=needs-review\n" });
  });

  test("with a token that may only read, as from a fork: the summary of the run has it all", async ({
    expect,
  }) => {
    const { status, stdout, state, summary } = await runAction({ state: { canWrite: false } });
    expect(status).toBe(1);
    expect(stdout).toContain("::warning title=hotpatch::the token may not comment here");
    expect(summary).toContain("`mm/a.c:12:20`");
    expect(state).toMatchObject({ reviews: 0, comments: [] });
  });

  test("behind a fork's run: the pull request is found by its branch, and gets a status", async ({
    expect,
  }) => {
    const state = { branch: "stranger:fix" };
    const run = await runAction({ event: "workflow_run", payload: WORKFLOW_RUN, report: SAFE, state });
    expect(run.status).toBe(0);
    expect(run.state.comments).toHaveLength(1);
    expect(run.state.statuses).toMatchObject([
      {
        sha: HEAD,
        state: "success",
        context: "hotpatch",
        target_url: "https://github.com/o/r/actions/runs/99",
      },
    ]);
  });

  test("behind a fork's run of a workflow that the fork has changed: it fails, whatever the report says", async ({
    expect,
  }) => {
    const state = {
      branch: "stranger:fix",
      files: [FILE, { filename: ".github/workflows/a.yml", status: "modified" }],
    };
    const run = await runAction({ event: "workflow_run", payload: WORKFLOW_RUN, report: SAFE, state });
    expect(run.status).toBe(1);
    expect(run.state.statuses).toMatchObject([{ state: "failure" }]);
    expect(run.state.comments[0]?.body).toContain("[!WARNING]");
  });

  test("behind a run whose branch has no pull request, or a newer commit: nothing is posted", async ({
    expect,
  }) => {
    for (const state of [{}, { branch: "stranger:fix", head: "f".repeat(40) }]) {
      const run = await runAction({ event: "workflow_run", payload: WORKFLOW_RUN, report: SAFE, state });
      expect(run).toMatchObject({ status: 0, state: { comments: [], reviews: 0, statuses: [] } });
    }
  });

  const secret = "ghs_this-is-a-secret";
  test.each<[string, Start, RegExp]>([
    ["no JSON", { report: secret }, /report\.json is no report of/],
    ["another report", { report: JSON.stringify({ ...sampleReview(), verdict: secret }) }, /is no report of/],
    [
      "more findings than anybody reads",
      { report: JSON.stringify(sampleReview(Array(5001).fill(sampleFinding))) },
      /more than 5000 findings/,
    ],
    ["another event", { event: "push", payload: { after: secret } }, /'push' is about no pull request/],
    ["an event that is none", { payload: { pull_request: { number: secret } } }, /is about no pull request/],
    ["no reports", { env: { INPUT_REPORTS: " \n" } }, /no reports are named/],
    ["an unknown weight", { env: { "INPUT_FAIL-ON": secret } }, /fail-on must be one of/],
  ])("refuses %s, in words that quote nothing of it", async (_, start, words) => {
    const { status, stdout, log, state } = await runAction(start);
    expect(status).toBe(2);
    expect(stdout).toMatch(words);
    expect(stdout).not.toContain(secret);
    expect(log).toEqual([]);
    expect(state.comments).toEqual([]);
  });

  test("reads no links, no folders and nothing huge", async ({ expect }) => {
    const link = join(folder, "link.json");
    symlinkSync("/proc/self/environ", link);
    const huge = join(folder, "huge.json");
    writeFileSync(huge, "");
    truncateSync(huge, 33 * 1024 * 1024);
    for (const path of [link, folder, huge, join(folder, "none.json")]) {
      const { status, stdout, log } = await runAction({ env: { INPUT_REPORTS: path } });
      expect(status).toBe(2);
      expect(stdout).toMatch(/is no plain file|is larger than 32 MiB/);
      expect(log).toEqual([]);
    }
  });
});
