import { randomUUID } from "node:crypto";
import { connect, isForbidden } from "@kernel-hotpatch/server/bot/github";
import { postReviews } from "@kernel-hotpatch/server/bot/post";
import {
  sampleFinding,
  samplePatch,
  sampleReview,
  wholeFinding,
} from "@kernel-hotpatch/server/render/sample-review";
import type { Finding } from "@kernel-hotpatch/server/review/finding";
import Bottleneck from "bottleneck";
import { afterEach, describe, expect, test } from "vitest";
import { BOT, type GitHubServer, type State, startGitHub } from "./github/server.js";

const NAME = { owner: "o", repo: "r", number: 7 };
const HEAD = "0".repeat(40);
const PATCH = samplePatch.slice(samplePatch.indexOf("@@"), samplePatch.indexOf("\n-- "));
const FILE = { filename: "mm/a.c", status: "modified", patch: PATCH };
const servers: GitHubServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    expect(server.problems).toEqual([]);
    await server.close();
  }
});

async function start(state: Partial<State> = {}): Promise<GitHubServer> {
  const server = await startGitHub({ files: [FILE], ...state });
  servers.push(server);
  return server;
}

/** One run of the bot, without the waits that GitHub asks for. */
async function run(server: GitHubServer, findings: readonly Finding[], head = HEAD) {
  const group = () => new Bottleneck.Group({ maxConcurrent: 1 });
  const throttle = {
    id: randomUUID(),
    global: group(),
    write: group(),
    notifications: group(),
    search: group(),
    auth: group(),
    retryAfterBaseValue: 10,
  };
  const github = connect("the-token", server.url, { throttle, retry: { retryAfterBaseValue: 10 } });
  server.log.length = 0;
  return await postReviews(
    github,
    NAME,
    head,
    [sampleReview(findings)],
    "https://github.com/o/r/actions/runs/1",
  );
}

const writes = ({ log }: GitHubServer) =>
  log.filter((entry) => !/^GET|^reviewThreads|^comments\(/.test(entry));
const POST_REVIEW = "POST /repos/o/r/pulls/7/reviews";
const POST_COMMENT = "POST /repos/o/r/issues/7/comments";

describe("a pull request", () => {
  test("gets comments at its lines and one summary; a rerun writes nothing", async () => {
    const server = await start();
    expect(await run(server, [sampleFinding, wholeFinding])).toEqual({
      outcome: "posted",
      isForgeable: false,
    });
    expect(writes(server)).toEqual([POST_REVIEW, POST_COMMENT]);
    expect(server.state.threads).toMatchObject([{ path: "mm/a.c", line: 12 }]);
    expect(server.state.comments).toHaveLength(1);
    await run(server, [sampleFinding, wholeFinding]);
    expect(writes(server)).toEqual([]);
  });

  test("that is pushed to by force: what is fixed is resolved, what stays is not said again, the summary follows", async () => {
    const server = await start();
    const other = { ...sampleFinding, rule: "type-changed", line: 41, excerpt: { text: "long a41;" } };
    await run(server, [sampleFinding, other]);
    const head = "f".repeat(40);
    server.state.head = head;
    await run(server, [other], head);
    expect(writes(server)).toEqual([
      "updatePullRequestReviewComment",
      "updateIssueComment",
      "resolveReviewThread",
    ]);
    expect(server.state.threads.map(({ isResolved }) => isResolved)).toEqual([true, false]);
    expect(server.state.comments[0]?.body).toContain("ffffffffffff");
    await run(server, [sampleFinding, other], head);
    expect(writes(server)).toContain("unresolveReviewThread");
    expect(server.state.threads.map(({ isResolved }) => isResolved)).toEqual([false, false]);
    expect(server.state.reviews).toBe(1);
  });

  test("with newer commits is left to the run for those", async () => {
    const server = await start({ head: "f".repeat(40) });
    expect(await run(server, [sampleFinding])).toEqual({ outcome: "superseded" });
    expect(writes(server)).toEqual([]);
  });

  test("in which somebody answered keeps what was answered; marks in comments of others mean nothing", async () => {
    const server = await start();
    await run(server, [sampleFinding]);
    const [thread] = server.state.threads;
    const said = thread?.comments[0]?.body ?? "";
    thread?.comments.push({ id: "x", author: "a-person", body: "It is meant so." });
    const forged = { id: "y", author: "a-person", body: said };
    server.state.threads.push({ id: "z", path: "mm/a.c", line: 12, isResolved: false, comments: [forged] });
    server.state.comments.unshift({ id: "w", author: "a-person", body: "<!-- hotpatch:summary -->" });
    await run(server, []);
    expect(writes(server)).toEqual(["updateIssueComment"]);
    expect(thread).toMatchObject({ isResolved: false, comments: [{ body: said }, {}] });
  });

  test("whose file is renamed has its comment in the new one, and the old one resolved", async () => {
    const server = await start();
    await run(server, [sampleFinding]);
    server.state.files = [{ ...FILE, filename: "mm/b.c", status: "renamed", previous_filename: "mm/a.c" }];
    await run(server, [{ ...sampleFinding, file: "mm/b.c" }]);
    expect(server.state.threads).toMatchObject([
      { path: "mm/a.c", isResolved: true },
      { path: "mm/b.c", isResolved: false },
    ]);
  });

  test("of many files and findings is read page by page, and said in parts", async () => {
    const files = Array.from({ length: 250 }, (_, at) => ({ ...FILE, filename: `mm/${at}.c` }));
    const others = Array.from({ length: 120 }, (_, at) => ({
      id: `o${at}`,
      author: "a-person",
      body: "hello",
    }));
    const server = await start({ files, comments: [...others] });
    const findings = files.map(({ filename }) => ({ ...sampleFinding, file: filename }));
    await run(server, findings);
    expect(server.log.filter((entry) => entry.endsWith("/files"))).toHaveLength(3);
    expect(writes(server)).toEqual([POST_REVIEW, POST_REVIEW, POST_COMMENT]);
    expect(server.state.threads).toHaveLength(30);
    const first = server.state.threads.slice();
    for (let at = 0; at < 40; at++)
      server.state.threads.unshift({
        ...structuredClone(first[0] ?? servers[0]?.state.threads[0]),
        id: `p${at}`,
        comments: [{ id: `q${at}`, author: "a-person", body: "hi" }],
      } as State["threads"][0]);
    await run(server, findings);
    expect(writes(server)).toEqual([]);
  });

  test("whose diff is too large to be shown has all in its summary", async () => {
    const server = await start({ files: [{ filename: "mm/a.c", status: "modified" }] });
    await run(server, [sampleFinding]);
    expect(writes(server)).toEqual([POST_COMMENT]);
    expect(server.state.comments[0]?.body).toContain("`mm/a.c:12:20`");
  });

  test("that changes workflows is told not to be believed", async () => {
    const renamed = { filename: "x.yml", previous_filename: ".github/workflows/x.yml", status: "renamed" };
    const server = await start({ files: [renamed, FILE] });
    expect(await run(server, [])).toEqual({ outcome: "posted", isForgeable: true });
    expect(server.state.comments[0]?.body).toMatch(/> \[!WARNING\]\n> This pull request changes workflows/);
  });

  test("whose lines GitHub does not take has all in its summary", async () => {
    const server = await start();
    server.failures.push({
      of: /reviews$/,
      failure: { status: 422, message: "line must be part of the diff" },
    });
    await run(server, [sampleFinding]);
    expect(server.state).toMatchObject({
      reviews: 0,
      comments: [{ body: expect.stringContaining("`mm/a.c:12:20`") }],
    });
  });
});

describe("a token", () => {
  test("that may not resolve says in the comment what it would have resolved", async () => {
    const server = await start({ canResolve: false });
    await run(server, [sampleFinding]);
    await run(server, []);
    expect(server.state.threads).toMatchObject([
      { isResolved: false, comments: [{ author: BOT, body: expect.stringContaining("No longer found") }] },
    ]);
  });

  test("that may not write fails", async () => {
    const server = await start({ canWrite: false });
    await expect(run(server, [sampleFinding])).rejects.toThrow(/not accessible by integration/);
  });
});

describe("a failure", () => {
  const limit = { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "0" };
  test.each<[string, RegExp, GitHubServer["failures"][0]["failure"]]>([
    ["of the server, reading", /files$/, { status: 502 }],
    ["of the server, in GraphQL", /^reviewThreads/, { status: 500 }],
    ["of the server, writing", /reviews$/, { status: 503 }],
    ["of which nobody knows that it had written a review", /reviews$/, { status: 502, late: true }],
    [
      "of which nobody knows that it had written a comment",
      /issues\/7\/comments$/,
      { status: 504, late: true },
    ],
    ["for the primary limit", /files$/, { status: 403, headers: limit, message: "API rate limit exceeded" }],
    [
      "for the secondary limit",
      /reviews$/,
      { status: 403, headers: { "retry-after": "1" }, message: "You have exceeded a secondary rate limit" },
    ],
    ["for too many requests", /issues\/7\/comments$/, { status: 429, headers: limit }],
  ])("%s: everything is there in the end, once", async (_, of, failure) => {
    const server = await start();
    server.failures.push({ of, failure });
    await run(server, [sampleFinding, wholeFinding]);
    expect(server.failures).toEqual([]);
    expect(server.state).toMatchObject({ reviews: 1, comments: [{}], threads: [{ line: 12 }] });
    expect([server.state.comments.length, server.state.threads.length]).toEqual([1, 1]);
  });

  test("for a limit that lasts is told, and not taken for a lack of permission", async () => {
    const server = await start();
    const headers = {
      "x-ratelimit-remaining": "0",
      "x-ratelimit-reset": `${Math.ceil(Date.now() / 1000) + 3600}`,
    };
    server.failures.push({
      of: /files$/,
      failure: { status: 403, headers, message: "API rate limit exceeded" },
    });
    const error = await run(server, []).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 403 });
    expect(isForbidden(error)).toBe(false);
  });

  test("that stays is told", async () => {
    const server = await start();
    for (let count = 0; count < 50; count++) server.failures.push({ of: /files$/, failure: { status: 400 } });
    await expect(run(server, [])).rejects.toMatchObject({ status: 400 });
  });
});
