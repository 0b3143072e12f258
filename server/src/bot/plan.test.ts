import { micromark } from "micromark";
import { gfm, gfmHtml } from "micromark-extension-gfm";
import { expect, test } from "vitest";
import { HOSTILE, sampleFinding, samplePatch, sampleReview, wholeFinding } from "../render/sample-review.js";
import type { Finding } from "../review/finding.js";
import type { Review } from "../review/review.js";
import { markOf } from "./comment.js";
import { type Plan, type Posted, type PullRequest, planComments, type Thread } from "./plan.js";

const HEAD = "0123456789abcdef0123456789abcdef01234567";
const pull: PullRequest = {
  head: HEAD,
  files: [
    { path: "mm/a.c", patch: samplePatch.slice(samplePatch.indexOf("@@"), samplePatch.indexOf("\n-- ")) },
  ],
};
const nothing: Posted = { threads: [] };
const around = { artifacts: "https://github.com/o/r/actions/runs/1", isForgeable: false };
const plan = (findings: readonly Finding[], posted = nothing, on = pull) =>
  planComments([sampleReview(findings)], on, posted, around);
const empty = { add: [], update: [], resolve: [], reopen: [] };

const arm: Review = {
  ...sampleReview(),
  kernel: { id: "debian/6.1.0-56-arm64", arch: "arm64", release: "6.1.0-56-arm64" },
  module: {
    path: "patch.ko",
    sha256: "1".repeat(64),
    name: "hotpatch_a",
    backend: "ftrace",
    objects: ["vmlinux"],
    functions: [{ object: "vmlinux", name: "f", sympos: 0 }],
    callbacks: [],
    states: [],
    replace: false,
  },
};

/** What stands there when a plan was carried out. */
function after({ summary, add, update, resolve, reopen }: Plan, posted = nothing): Posted {
  const old = posted.threads.map((thread): Thread => {
    const body = update.find(({ commentId }) => commentId === thread.commentId)?.body ?? thread.body;
    const isResolved = resolve.includes(thread.id) || (thread.isResolved && !reopen.includes(thread.id));
    return { ...thread, body, isResolved };
  });
  const made = add.map(({ body }, at): Thread => {
    const id = `${old.length + at}`;
    return { id: `t${id}`, commentId: `c${id}`, body, isResolved: false, isAnswered: false };
  });
  return {
    ...(summary ? { summary: { id: summary.id ?? "s", body: summary.body } } : posted),
    threads: [...old, ...made],
  };
}

const touched = (posted: Posted, change: Partial<Thread>): Posted => ({
  ...posted,
  threads: posted.threads.map((thread) => ({ ...thread, ...change })),
});

const first = after(plan([sampleFinding, wholeFinding]));

test("a finding stands at its line, what is about none in the summary", () => {
  const { add, summary, ...rest } = plan([sampleFinding, wholeFinding]);
  expect(rest).toEqual({ update: [], resolve: [], reopen: [] });
  expect(add).toMatchObject([{ path: "mm/a.c", line: 12, endLine: 12 }]);
  expect(add[0]?.body.split("\n").slice(1).join("\n")).toMatchInlineSnapshot(`
    "**unsafe** \`static-data-changed\`: the initial value of 'limit' changes

    The variable is live.

    **What to do:** Set it in a callback."
  `);
  expect(summary?.body).toMatchInlineSnapshot(`
    "<!-- hotpatch:summary -->

    ## Hot patch review: unsafe

    Commit \`0123456789ab\`: 1 unsafe, 1 needs-review. 1 in comments at lines of the diff.

    | kernel | verdict | asked | objects | run-pre | sandbox |
    | --- | --- | --- | --- | --- | --- |
    | \`debian/6.1.0-56-amd64\` (x86_64) | unsafe | source | – | – | – |

    [patch.ko, reports and console logs](https://github.com/o/r/actions/runs/1)

    ### Other findings

    - **needs-review** \`not-run\`: nothing was run
      - why: Nobody knows.
      - remedy: Run it.
    "
  `);
});

test("a rerun says nothing twice; a new head changes the summary only", () => {
  expect(plan([sampleFinding, wholeFinding], first)).toEqual(empty);
  const later = plan([sampleFinding, wholeFinding], first, { ...pull, head: "f".repeat(40) });
  expect(later).toEqual({ ...empty, summary: { id: "s", body: expect.stringContaining("ffffffffffff") } });
});

test("moved code keeps its comment; other words replace those that stand there", () => {
  expect(plan([{ ...sampleFinding, line: 99, endLine: 99 }, wholeFinding], first)).toEqual(empty);
  const { add, update } = plan([{ ...sampleFinding, remedy: "Wait." }, wholeFinding], first);
  expect([add.length, update.length]).toEqual([0, 1]);
});

test("what is no longer found is said to be gone, resolved, and left so; when it is back, it is open again", () => {
  const gone = plan([wholeFinding], first);
  expect(gone).toMatchObject({ add: [], update: [{ commentId: "c0" }], resolve: ["t0"], reopen: [] });
  expect(gone.update[0]?.body).toContain("No longer found in 0123456789ab.");
  const closed = after(gone, first);
  expect(plan([wholeFinding], closed)).toEqual(empty);
  const back = plan([sampleFinding, wholeFinding], closed);
  expect(back).toMatchObject({ add: [], update: [{ commentId: "c0" }], resolve: [], reopen: ["t0"] });
  expect(after(back, closed).threads).toEqual(first.threads);
});

test("what was said to be gone, by a token that may not resolve, is resolved when one may", () => {
  const closed = touched(after(plan([wholeFinding], first), first), { isResolved: false });
  expect(plan([wholeFinding], closed)).toEqual({ ...empty, resolve: ["t0"] });
});

test("what people answered or resolved is left", () => {
  for (const change of [{ isAnswered: true }, { isResolved: true }, { isAnswered: true, isResolved: true }]) {
    const { summary: _, ...gone } = plan([wholeFinding], touched(first, change));
    expect(gone).toEqual(empty);
    const { summary: __, ...other } = plan(
      [{ ...sampleFinding, why: "Other words." }],
      touched(first, change),
    );
    expect(other).toEqual(empty);
  }
});

test("what the author sets aside is listed, and its comment closed", () => {
  const aside = { ...sampleFinding, suppressed: { reason: "never read" } };
  const { add, summary } = plan([aside]);
  expect(add).toEqual([]);
  expect(summary?.body).toContain("### Set aside by the author\n\n- `static-data-changed` at `mm/a.c:12:20`");
  expect(plan([aside], first)).toMatchObject({
    update: [{ body: expect.stringContaining("No longer counts.") }],
    resolve: ["t0"],
  });
});

test("outside of the diff, or in a file whose diff is not to be had, it is in the summary", () => {
  for (const on of [
    { ...pull, files: [] },
    { ...pull, files: [{ path: "mm/a.c" }] },
  ]) {
    const { add, summary } = plan([sampleFinding], nothing, on);
    expect(add).toEqual([]);
    expect(summary?.body).toContain("### Findings\n\n- **unsafe** `static-data-changed` at `mm/a.c:12:20`");
  }
});

test("many findings: some at their lines, more in the summary, the rest in the reports; a rerun adds none", () => {
  const many = Array.from({ length: 2000 }, (_, at) => ({ ...sampleFinding, symbol: `limit_${at}` }));
  const once = plan(many);
  expect(once.add).toHaveLength(30);
  expect(once.summary?.body.length).toBeLessThan(65_536);
  expect(once.summary?.body).toMatch(/\n… and more, which the reports hold\.\n$/);
  expect(plan(many, after(once))).toEqual(empty);
});

test("however much a finding says, its comment and the summary are taken", () => {
  const long = "@a\x1b".repeat(5_000);
  const other = { file: long, line: 1, column: null, endLine: null, endColumn: null, message: long };
  const huge: Finding = {
    ...sampleFinding,
    message: long,
    why: long,
    remedy: long,
    detail: long,
    related: Array(50).fill(other),
  };
  const functions = Array.from({ length: 100 }, (_, at) => ({
    object: long,
    name: `${long}${at}`,
    sympos: 0,
  }));
  const module = arm.module && { ...arm.module, functions };
  const review: Review = {
    ...arm,
    kernel: { ...arm.kernel, id: long },
    findings: [huge, { ...huge, file: "b.c" }],
    ...(module && { module }),
  };
  const { add, summary } = planComments([review], pull, nothing, around);
  for (const body of [add[0]?.body ?? "", summary?.body ?? ""]) expect(body.length).toBeLessThan(65_536);
  expect(summary?.body).toContain("### Other findings\n\n- **unsafe** `static-data-changed` at `b.c:12:20`");
});

test("comments of others, or with marks that we do not know, are not ours", () => {
  expect(markOf("hello\n<!-- hotpatch:open:00000000000000000000000000000000 -->")).toBeUndefined();
  expect(markOf("<!-- hotpatch:other:00000000000000000000000000000000 -->")).toBeUndefined();
});

test("several kernels: a row each, a finding once, and where it was found when not everywhere", () => {
  const both = planComments([sampleReview([sampleFinding]), arm], pull, nothing, around);
  expect(both.add).toHaveLength(1);
  expect(both.add[0]?.body).not.toContain("Only on");
  expect(both.summary?.body).toContain(
    "| `debian/6.1.0-56-amd64` (x86_64) | unsafe | source | – | – | – |\n| `debian/6.1.0-56-arm64` (arm64) |",
  );
  expect(both.summary?.body).toContain("| `vmlinux` | `f` | arm64 |");
  const one = planComments([sampleReview([]), arm], pull, nothing, around);
  expect(one.add[0]?.body).toContain("Only on `debian/6.1.0-56-arm64`.");
});

const fix = (edit: object, line = 12) => ({
  title: "Keep the value",
  edits: [{ file: "mm/a.c", line, column: 20, endLine: line, endColumn: 21, text: "1", ...edit }],
});

test("a fix of the lines around is a suggestion", () => {
  const { add } = plan([{ ...sampleFinding, fixes: [fix({})] }]);
  expect(add[0]?.body).toContain("Keep the value:\n\n```suggestion\nstatic int limit = 1;\n```");
  const two = plan([
    { ...sampleFinding, fixes: [fix({ line: 11, column: 1, endColumn: 1, text: "/* */\n" })] },
  ]);
  expect(two.add[0]).toMatchObject({ line: 11, endLine: 12 });
  expect(two.add[0]?.body).toContain("```suggestion\n/* */\nstatic int limit = 2;\n```");
});

test.each([
  ["elsewhere in the file", fix({}, 40)],
  ["in another file", fix({ file: "mm/b.c" })],
  ["behind the end of its line", fix({ endColumn: 99 })],
  ["beyond the hunk", fix({ endLine: 30 })],
  ["that overlaps", { title: "x", edits: [...fix({}).edits, ...fix({ column: 1 }).edits] }],
  ["with what a page does not show as it is", fix({ text: "1; /* \u202e */" })],
  ["longer than a comment", fix({ text: "x".repeat(5000) })],
  ["of nothing", { title: "x", edits: [] }],
])("a fix %s is none", (_, bad) => {
  const { add } = plan([{ ...sampleFinding, fixes: [bad] }]);
  expect(add[0]).toMatchObject({ line: 12, endLine: 12, body: expect.not.stringContaining("suggestion") });
  if (bad.edits.length > 0) expect(add[0]?.body).toContain(`${bad.title}:\n\n\`\`\`diff\n@ mm/`);
});

test("in a diff with other line numbers, comment and suggestion are at the line with the finding's code", () => {
  const moved = { ...sampleFinding, line: 112, endLine: 112, fixes: [fix({}, 112)] };
  const { add } = plan([moved]);
  expect(add[0]).toMatchObject({
    line: 12,
    body: expect.stringContaining("```suggestion\nstatic int limit = 1;"),
  });
});

test("nothing from a patch becomes markup, a link, a mention or a mark of ours", () => {
  const text = `${HOSTILE} ~~x~~ | a | [x]: https://e.example`;
  const hostile: Finding = {
    ...sampleFinding,
    message: text,
    why: text,
    remedy: text,
    symbol: text,
    detail: text,
    related: [{ file: text, line: 1, column: null, endLine: null, endColumn: null, message: text }],
    fixes: [
      {
        title: text,
        edits: [
          { ...fix({}).edits[0], text: "`````\n</details> @everyone" } as NonNullable<
            Finding["fixes"]
          >[0]["edits"][0],
        ],
      },
    ],
  };
  const { add, summary } = planComments(
    [
      {
        ...arm,
        findings: [
          hostile,
          { ...hostile, line: 1, excerpt: { text: "x" } },
          { ...hostile, suppressed: { reason: text } },
        ],
        kernel: { ...arm.kernel, id: text },
      },
    ],
    pull,
    nothing,
    around,
  );
  const bodies = [add[0]?.body ?? "", summary?.body ?? ""];
  for (const body of bodies) {
    const html = micromark(body, {
      extensions: [gfm()],
      htmlExtensions: [gfmHtml()],
      allowDangerousHtml: true,
    });
    const tags = new Set([...html.matchAll(/<([a-z]\w*)/g)].map(([, tag]) => tag));
    for (const tag of ["img", "script", "del", "input"]) expect(tags, body).not.toContain(tag);
    const links = [...html.matchAll(/<a href="([^"]*)"/g)].map(([, href]) => href);
    expect(new Set(links)).toEqual(new Set(body === summary?.body ? [around.artifacts] : []));
    const shown = html.replaceAll(/<code[^>]*>[\s\S]*?<\/code>/g, "");
    expect(shown.match(/<!-- hotpatch/g)).toHaveLength(1);
    expect(shown).not.toMatch(/[@#]\w|\bGH-\d/);
  }
});
