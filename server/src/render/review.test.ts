import { expect, test } from "vitest";
import type { Finding } from "../review/finding.js";
import type { Review } from "../review/review.js";
import { colors } from "./colors.js";
import { renderReviewMarkdown } from "./markdown.js";
import { renderReviewText } from "./text.js";

const finding: Finding = {
  rule: "kernel-complained",
  severity: "unsafe",
  witness: "sandbox",
  file: "fs/proc/meminfo.c",
  line: 35,
  column: 7,
  endLine: 35,
  endColumn: 7,
  message: "the kernel warned while the patch was loaded",
  why: "An unpatched kernel runs the same steps without a complaint.",
  remedy: "Follow the stack.",
  detail: "WARNING: CPU: 0 PID: 1\n Call Trace:\n",
  related: [],
};

const review: Review = {
  schemaVersion: 1,
  tool: { name: "kernel-hotpatch", version: "0.1.0" },
  kernel: { id: "debian/6.1.0-55-amd64", arch: "x86_64", release: "6.1.0-55-amd64" },
  patch: { files: ["fs/proc/meminfo.c"], sha256: "0".repeat(64) },
  verdict: "unsafe",
  witnesses: ["object", "sandbox"],
  findings: [finding],
  objects: [
    {
      orig: "fs/proc/meminfo.o",
      patched: "fs/proc/meminfo.o",
      arch: "x86_64",
      outcome: "carried",
      changed: ["meminfo_proc_show"],
      new: ["show_extra"],
      removed: [],
      data: [{ name: "extra", why: "new variable" }],
      refusals: [],
      remarks: [],
    },
  ],
  runPre: [
    { unit: "fs/proc/meminfo.c", object: "vmlinux", name: "meminfo_proc_show", outcome: "matched" },
    {
      unit: "fs/proc/meminfo.c",
      object: "vmlinux",
      name: "show_val_kb",
      outcome: "unknown",
      reason: "the image does not hold the 40 bytes at its address",
    },
  ],
  module: {
    path: "out/patch.ko",
    sha256: "1".repeat(64),
    name: "hotpatch_meminfo",
    backend: "livepatch",
    objects: ["vmlinux"],
    functions: [{ object: "vmlinux", name: "meminfo_proc_show", sympos: 2 }],
    callbacks: [{ object: "vmlinux", kind: "pre_patch", name: "begin" }],
    states: [],
    replace: false,
  },
  sandbox: {
    accelerator: "emulation",
    outcome: "finished",
    steps: [
      { name: "test before: meminfo", outcome: "passed", seconds: 0.25, output: ["MemTotal: 1", "", ""] },
      {
        name: "load",
        outcome: "failed",
        seconds: 1,
        output: Array.from({ length: 10 }, (_, index) => `line ${index}`),
      },
    ],
    kernelLog: "",
    seconds: 9.34,
  },
};

test("a review reads like a compiler's output and ends in the verdict", () => {
  expect(renderReviewText(review, colors(false))).toMatchInlineSnapshot(`
    "patch: fs/proc/meminfo.c
    kernel: debian/6.1.0-55-amd64 (6.1.0-55-amd64, x86_64)

    fs/proc/meminfo.c:35:7: unsafe: the kernel warned while the patch was loaded [kernel-complained]
        | WARNING: CPU: 0 PID: 1
        |  Call Trace:
        why: An unpatched kernel runs the same steps without a complaint.
        remedy: Follow the stack.

    fs/proc/meminfo.o: carried
        changed: meminfo_proc_show
        new: show_extra
        data: extra (new variable)

    run-pre: 1 of 2 functions match the image (1 could not be compared)

    out/patch.ko (livepatch, added to earlier patches) redirects
        vmlinux: meminfo_proc_show, 2
        vmlinux: pre-patch callback begin

    sandbox: finished, emulation, 9.3 s
        passed  test before: meminfo (0.3 s)
                MemTotal: 1
        failed  load (1.0 s)
                line 0
                line 1
                line 2
                line 3
                line 4
                line 5
                line 6
                line 7
                … 2 more lines

    verdict: unsafe (1 unsafe)
    "
  `);
});

test("colours are there when asked for, and only then", () => {
  expect(renderReviewText(review, colors(true))).toContain("\x1b[31munsafe\x1b[39m");
  expect(renderReviewText(review, colors(false))).not.toContain("\x1b");
});

test("a review as Markdown", () => {
  expect(renderReviewMarkdown(review)).toMatchInlineSnapshot(`
    "## Hot patch review: unsafe

    Kernel \`debian/6.1.0-55-amd64\` (\`6.1.0-55-amd64\`, x86_64); patched: \`fs/proc/meminfo.c\`.

    ### Findings

    - **unsafe** \`kernel-complained\` at \`fs/proc/meminfo.c:35:7\`: the kernel warned while the patch was loaded
      - why: An unpatched kernel runs the same steps without a complaint.
      - remedy: Follow the stack.

      \`\`\`text
      WARNING: CPU: 0 PID: 1
       Call Trace:
      \`\`\`

    run-pre: 1 of 2 functions match the image (1 could not be compared).

    ### Carried by \`out/patch.ko\` (livepatch, added to earlier patches)

    | object | function | sympos |
    | --- | --- | --- |
    | \`vmlinux\` | \`meminfo_proc_show\` | 2 |
    | \`vmlinux\` | \`begin\` | pre-patch callback |

    ### Sandbox: finished, emulation, 9.3 s

    \`\`\`text
    passed  test before: meminfo
            MemTotal: 1
    failed  load
            line 0
            line 1
            line 2
            line 3
            line 4
            line 5
            line 6
            line 7
            … 2 more lines
    \`\`\`
    "
  `);
});

const hostile: Review = {
  ...review,
  patch: { ...review.patch, files: ["a\x1b[2J`b`|c.c"] },
  findings: [
    {
      ...finding,
      file: "a\x1b]0;x\x07.c",
      message: "\x1b[2J](javascript:x) <img src=x> @everyone #1\nnew line",
      detail: "````\n<script>\x9b1m",
    },
  ],
  sandbox: {
    accelerator: "kvm",
    outcome: "panicked",
    steps: [{ name: "test\x1b[1m", outcome: "failed", seconds: 0, output: ["\x1b[2J", "```` out"] }],
    kernelLog: "",
    seconds: 1,
  },
};

test("nothing from a patch, a kernel or a guest reaches the terminal as a control sequence", () => {
  for (const text of [renderReviewText(hostile, colors(false)), renderReviewMarkdown(hostile)])
    for (const character of ["\x1b", "\x07", "\x9b"]) expect(text).not.toContain(character);
});

test("nothing leaves its place in Markdown", () => {
  const text = renderReviewMarkdown(hostile);
  expect(text).toContain("`` a\\u001b[2J`b`|c.c ``");
  expect(text).toContain("\\]\\(javascript:x\\) \\<img src=x\\> @<!-- -->everyone #<!-- -->1\\\\nnew line");
  expect(text).toContain("  `````text\n  ````\n  <script>\\u009b1m\n  `````");
});

const coded: Finding = {
  ...finding,
  rule: "static-data-changed",
  line: 12,
  column: 13,
  endLine: 12,
  endColumn: 18,
  message: "'limit' starts as 2",
  detail: "",
  excerpt: { text: "\tstatic int limit = 2;" },
  related: [
    { file: "mm/b.c", line: 3, column: 7, endLine: 3, endColumn: 9, message: "read here" },
    { file: null, line: null, column: null, endLine: null, endColumn: null, message: "and in 3 more files" },
  ],
  fixes: [
    {
      title: "Keep the value",
      edits: [
        { file: "fs/proc/meminfo.c", line: 12, column: 21, endLine: 12, endColumn: 22, text: "1" },
        { file: "fs/proc/meminfo.c", line: 40, column: 1, endLine: 40, endColumn: 1, text: "set(2);\n" },
        { file: "mm/b.c", line: 3, column: 1, endLine: 5, endColumn: 1, text: "" },
      ],
    },
  ],
};

const coding: Review = { ...review, findings: [coded] };

test("a finding shows its code with a marker, related places and what a fix does", () => {
  const text = renderReviewText(coding, colors(false));
  expect(
    text.split("\n\n")[1],
  ).toBe(`fs/proc/meminfo.c:12:13: unsafe: 'limit' starts as 2 [static-data-changed]
      12 | \tstatic int limit = 2;
         | \t           ^~~~~
    mm/b.c:3:7: read here
    elsewhere: and in 3 more files
    why: An unpatched kernel runs the same steps without a complaint.
    remedy: Follow the stack.
    fix: Keep the value
        @ fs/proc/meminfo.c:12
        -\tstatic int limit = 2;
        +\tstatic int limit = 1;
        @ fs/proc/meminfo.c:40:1
        +set(2);
        @ mm/b.c:3:1 to 5:1`);
});

test("Markdown shows the same", () => {
  const text = renderReviewMarkdown(coding);
  expect(text).toContain("  - `mm/b.c:3:7`: read here\n");
  expect(text).toContain("\n  ```c\n    12 | \tstatic int limit = 2;\n       | \t           ^~~~~\n  ```\n");
  expect(text).toContain("\n  fix: Keep the value\n\n  ```diff\n  @ fs/proc/meminfo.c:12\n  -\tstatic");
});

test("many findings: the heaviest first, then by file and line; what is suppressed is counted apart", () => {
  const place = (severity: Finding["severity"], file: string | null, line: number | null) => ({
    ...finding,
    severity,
    file,
    line,
    column: null,
  });
  const findings = [
    place("info", "a.c", 1),
    place("unsafe", null, null),
    { ...place("unsafe", "b.c", 10), suppressed: { reason: "r" } },
    place("unsafe", "b.c", 9),
    place("unsafe", "a.c", 30),
  ];
  const text = renderReviewText({ ...review, findings }, colors(false));
  expect(text.match(/^(?:[ab]\.c:\d+|unsafe)/gm)).toEqual(["a.c:30", "b.c:9", "b.c:10", "unsafe", "a.c:1"]);
  expect(text).toContain("verdict: unsafe (3 unsafe, 1 info, 1 suppressed)");
});
