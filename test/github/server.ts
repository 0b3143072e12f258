import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { schema } from "@octokit/graphql-schema";
import { Ajv } from "ajv";
import { parsePatch } from "diff";
import { buildClientSchema, graphql, type IntrospectionQuery } from "graphql";

/** A comment, of an issue or at a line. */
export interface Comment {
  readonly id: string;
  author: string;
  body: string;
}

export interface Thread {
  readonly id: string;
  readonly path: string;
  readonly line: number;
  isResolved: boolean;
  readonly comments: Comment[];
}

/** What the server keeps of the one pull request that there is. */
export interface State {
  head: string;
  branch: string;
  files: { filename: string; status: string; previous_filename?: string; patch?: string }[];
  readonly comments: Comment[];
  readonly threads: Thread[];
  readonly statuses: Record<string, unknown>[];
  /** How many reviews were made: each of them notifies people. */
  reviews: number;
  canWrite: boolean;
  canResolve: boolean;
}

/** What a request is answered with instead; `late`: after it was carried out. */
export interface Failure {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly message?: string;
  readonly late?: boolean;
}

export interface GitHubServer {
  readonly url: string;
  readonly state: State;
  /** `METHOD path` of all requests, in order; the name of the field for GraphQL. */
  readonly log: string[];
  /** What GitHub would not have understood. */
  readonly problems: string[];
  /** Failures of the next requests whose log entry matches. */
  readonly failures: { readonly of: RegExp; readonly failure: Failure }[];
  close(): Promise<void>;
}

/** Who the token speaks for. */
export const BOT = "github-actions[bot]";
const TOKEN = "the-token";

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly { name: string; in: string; required: boolean; schema: object }[];
  readonly body: object | null;
}

const { operations }: { operations: Operation[] } = JSON.parse(
  readFileSync(new URL("../schema/github-rest.json", import.meta.url), "utf8"),
);
const ajv = new Ajv({ strict: false, coerceTypes: true, validateFormats: false });
const known = operations.map((operation) => {
  const names = (where: string) => operation.parameters.filter((parameter) => parameter.in === where);
  const objectOf = (where: string) => ({
    type: "object",
    required: names(where)
      .filter(({ required }) => required)
      .map(({ name }) => name),
    properties: Object.fromEntries(names(where).map((parameter) => [parameter.name, parameter.schema])),
    additionalProperties: false,
  });
  return {
    ...operation,
    pattern: new RegExp(`^${operation.path.replaceAll(/\{(\w+)\}/g, "(?<$1>[^/]+)")}$`),
    isPath: ajv.compile(objectOf("path")),
    isQuery: ajv.compile(objectOf("query")),
    isBody: ajv.compile(closed(operation.body ?? { type: "null" }) as object),
  };
});
const graph = buildClientSchema(schema.json as unknown as IntrospectionQuery, { assumeValid: true });

/** What the description does not name is a slip of ours, though GitHub would pass over it. */
function closed(description: unknown): unknown {
  if (Array.isArray(description)) return description.map(closed);
  if (typeof description !== "object" || description === null) return description;
  const inside = Object.fromEntries(Object.entries(description).map(([key, value]) => [key, closed(value)]));
  return "properties" in inside ? { ...inside, additionalProperties: false } : inside;
}

/**
 * A server that understands as much of GitHub's API as the bot uses, for one pull request, `o/r#7`. REST requests are held
 * against GitHub's OpenAPI description, GraphQL is executed against its schema.
 */
export async function startGitHub(start: Partial<State>): Promise<GitHubServer> {
  const state: State = {
    head: "0".repeat(40),
    branch: "o:fix",
    files: [],
    comments: [],
    threads: [],
    statuses: [],
    reviews: 0,
    canWrite: true,
    canResolve: true,
    ...start,
  };
  const log: string[] = [];
  const problems: string[] = [];
  const failures: GitHubServer["failures"] = [];
  const respond = async (request: IncomingMessage, text: string): Promise<Reply> => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://x");
    if (request.headers.authorization !== `token ${TOKEN}`) problems.push("not authorized");
    if (!request.headers["user-agent"]?.startsWith("kernel-hotpatch/")) problems.push("no user agent");
    const body: unknown = text === "" ? null : JSON.parse(text);
    const isGraph = pathname === "/graphql";
    const entry = isGraph ? fieldOf(text) : `${request.method} ${pathname}`;
    log.push(entry);
    const at = failures.findIndex(({ of }) => of.test(entry));
    const failure = at === -1 ? undefined : failures.splice(at, 1)[0]?.failure;
    if (failure && !failure.late) return failed(failure);
    const reply = isGraph
      ? await askGraph(body)
      : askRest(request.method ?? "", pathname, searchParams, body);
    return failure ? failed(failure) : reply;
  };

  const askRest = (method: string, path: string, search: URLSearchParams, body: unknown): Reply => {
    const operation = known.find((one) => one.method === method && one.pattern.test(path));
    if (!operation) {
      problems.push(`no such operation: ${method} ${path}`);
      return failed({ status: 404, message: "Not Found" });
    }
    const parts = operation.pattern.exec(path)?.groups ?? {};
    const query = Object.fromEntries(search);
    for (const [is, value] of [
      [operation.isPath, { ...parts }],
      [operation.isQuery, query],
      [operation.isBody, body],
    ] as const)
      if (!is(value)) problems.push(`${method} ${path}: ${ajv.errorsText(is.errors)}`);
    const { pull_number: number = "7", issue_number: issue = "7" } = parts;
    if (number !== "7" || issue !== "7") return failed({ status: 404, message: "Not Found" });
    if (method === "POST" && !state.canWrite)
      return failed({ status: 403, message: "Resource not accessible by integration" });
    return { status: method === "POST" ? 201 : 200, ...answer(operation, parts, query, body) };
  };

  const answer = (
    { method, path }: Operation,
    parts: Record<string, string>,
    query: Record<string, string>,
    body: unknown,
  ): Answer => {
    if (path.endsWith("/pulls"))
      return { data: query.head === state.branch ? [{ number: 7, head: { sha: state.head } }] : [] };
    if (path.endsWith("/{pull_number}")) return { data: { number: 7, head: { sha: state.head } } };
    if (path.endsWith("/files")) return pageOf(state.files, query);
    if (path.endsWith("/{sha}")) state.statuses.push({ ...parts, ...(body as object) });
    if (method === "POST" && path.endsWith("/issues/{issue_number}/comments"))
      state.comments.push({ id: newId("IC"), author: BOT, ...(body as { body: string }) });
    return path.endsWith("/reviews") ? review(body as ReviewBody) : { data: {} };
  };

  const pageOf = (all: readonly unknown[], query: Record<string, string>): Answer => {
    const [size, page] = [Number(query.per_page ?? 30), Number(query.page ?? 1)];
    const next = `${url}/repos/o/r/pulls/7/files?per_page=${size}&page=${page + 1}`;
    const hasMore = page * size < all.length;
    return {
      data: all.slice((page - 1) * size, page * size),
      ...(hasMore && { headers: { link: `<${next}>; rel="next"` } }),
    };
  };

  const review = ({ commit_id, comments }: ReviewBody): Reply => {
    const isTaken = comments.every(({ path, line, start_line, side }) => {
      const lines = shown(state.files.find(({ filename }) => filename === path)?.patch ?? "");
      return side === "RIGHT" && lines.has(line) && lines.has(start_line ?? line);
    });
    if (!isTaken || commit_id !== state.head)
      return failed({ status: 422, message: "Unprocessable Entity: line must be part of the diff" });
    state.reviews++;
    for (const { path, line, body } of comments)
      state.threads.push({
        id: newId("PRRT"),
        path,
        line,
        isResolved: false,
        comments: [{ id: newId("PRRC"), author: BOT, body }],
      });
    return { status: 200, data: {} };
  };

  const askGraph = async (body: unknown): Promise<Reply> => {
    const { query, variables } = body as { query: string; variables: Record<string, unknown> };
    const result = await graphql({
      schema: graph,
      source: query,
      variableValues: variables,
      rootValue: root,
    });
    // What the schema does not allow is ours; what a field refuses is GitHub's word.
    for (const error of result.errors ?? [])
      if (!(error.originalError instanceof Refusal)) problems.push(`GraphQL: ${error.message}`);
    const errors = result.errors?.map(({ message, path }) => ({ type: "FORBIDDEN", message, path }));
    return { status: 200, data: { data: result.data, ...(errors && { errors }) } };
  };

  const commentNode = ({ id, author, body }: Comment) => ({ id, body, viewerDidAuthor: author === BOT });
  const threadNode = ({ id, isResolved, comments }: Thread) => ({
    id,
    isResolved,
    comments: (window: Window) => connection(comments.map(commentNode), window),
  });
  const settle = (threadId: string, isResolved: boolean) => {
    if (!state.canResolve) throw new Refusal("Resource not accessible by integration");
    const thread = state.threads.find(({ id }) => id === threadId);
    if (!thread) throw new Error(`no thread ${threadId}`);
    thread.isResolved = isResolved;
    return { thread: threadNode(thread) };
  };
  const edit = (all: readonly Comment[], wanted: string, text: string) => {
    const comment = all.find(({ id, author }) => id === wanted && author === BOT);
    if (!comment) throw new Error(`no comment ${wanted}`);
    comment.body = text;
    return commentNode(comment);
  };
  const root = {
    repository: ({ owner, name }: { owner: string; name: string }) =>
      `${owner}/${name}` !== "o/r"
        ? null
        : {
            pullRequest: {
              comments: (window: Window) => connection(state.comments.map(commentNode), window),
              reviewThreads: (window: Window) => connection(state.threads.map(threadNode), window),
            },
          },
    resolveReviewThread: ({ input }: { input: { threadId: string } }) => settle(input.threadId, true),
    unresolveReviewThread: ({ input }: { input: { threadId: string } }) => settle(input.threadId, false),
    updateIssueComment: ({ input }: { input: { id: string; body: string } }) => ({
      issueComment: edit(state.comments, input.id, input.body),
    }),
    updatePullRequestReviewComment: ({
      input,
    }: {
      input: { pullRequestReviewCommentId: string; body: string };
    }) => ({
      pullRequestReviewComment: edit(
        state.threads.flatMap(({ comments }) => comments),
        input.pullRequestReviewCommentId,
        input.body,
      ),
    }),
  };

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", async () => {
      const { status, headers, data } = await respond(request, Buffer.concat(chunks).toString());
      response.writeHead(status, { "content-type": "application/json", ...headers });
      response.end(JSON.stringify(data));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
  return { url, state, log, problems, failures, close };
}

/** What a field of GraphQL refuses. */
class Refusal extends Error {}

interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly data: unknown;
}

type Answer = Omit<Reply, "status"> & Partial<Reply>;

interface ReviewBody {
  readonly commit_id: string;
  readonly comments: readonly {
    path: string;
    line: number;
    start_line?: number;
    side?: string;
    body: string;
  }[];
}

interface Window {
  readonly first: number;
  readonly after?: string | null;
}

function connection<T>(all: readonly T[], { first, after }: Window) {
  const from = after ? Number(after) : 0;
  const end = Math.min(from + first, all.length);
  return {
    totalCount: all.length,
    nodes: all.slice(from, end),
    pageInfo: { hasNextPage: end < all.length, endCursor: `${end}` },
  };
}

function failed({ status, headers, message = "Server Error" }: Failure): Reply {
  return { status, ...(headers && { headers }), data: { message } };
}

function fieldOf(text: string): string {
  const { query }: { query: string } = JSON.parse(text);
  return /reviewThreads|comments\(first: 100|\w+(?=\(input)/.exec(query)?.[0] ?? query;
}

/** Numbers of the lines of the new file that a diff shows; read by another reader than ours. */
function shown(patch: string): Set<number> {
  const numbers = new Set<number>();
  for (const { newStart, lines } of parsePatch(`--- a\n+++ b\n${patch}\n`)[0]?.hunks ?? []) {
    let next = newStart;
    for (const line of lines) if (!/^[-\\]/.test(line)) numbers.add(next++);
  }
  return numbers;
}

let made = 0;

function newId(kind: string): string {
  return `${kind}_${++made}`;
}
