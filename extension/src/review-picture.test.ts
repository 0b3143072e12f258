import type { TreeState } from "@kernel-hotpatch/server/lsp/tree-state";
import { expect, test } from "vitest";
import { pictureOf, titleOf } from "./review-picture";

const STATE: TreeState = {
  root: "file:///linux",
  kernel: { id: "debian/1", arch: "x86_64", release: "1" },
  base: "HEAD",
  verdict: "unsafe",
  files: [
    {
      path: "kernel/foo.c",
      isRead: true,
      functions: [
        { name: "inner", line: 3, endLine: 5, verdict: "safe", object: "inlined", inlinedInto: ["outer"] },
        {
          name: "a_name_that_is_much_too_long_for_its_box",
          line: 9,
          endLine: 12,
          verdict: "unsafe",
          inlinedInto: [],
        },
      ],
      findings: [
        finding("limit"),
        finding("limit"),
        finding("<inner>"),
        finding("inner"),
        { ...finding("seen"), witness: "object" },
      ],
    },
  ],
  review: null,
};

function finding(symbol: string): TreeState["files"][number]["findings"][number] {
  return {
    rule: "static-data-changed",
    severity: "unsafe",
    witness: "source",
    file: "kernel/foo.c",
    line: 1,
    column: 2,
    endLine: 1,
    endColumn: 3,
    symbol,
    message: "",
    why: "",
    remedy: "",
    related: [],
  };
}

const REVIEW: TreeState["review"] = {
  schemaVersion: 1,
  tool: { name: "kernel-hotpatch", version: "1" },
  kernel: { id: "debian/1", arch: "x86_64", release: "1" },
  patch: { files: ["kernel/foo.c"], sha256: "" },
  verdict: "safe",
  witnesses: ["object"],
  findings: [],
  objects: [
    {
      orig: "kernel/foo.o",
      patched: "kernel/foo.o",
      arch: "x86_64",
      outcome: "carried",
      changed: ["outer.isra.0"],
      new: [],
      removed: [],
      data: [],
      refusals: [],
      remarks: [],
    },
  ],
  module: {
    path: "/patch.ko",
    sha256: "",
    name: "patch",
    backend: "livepatch",
    objects: ["vmlinux"],
    functions: [{ object: "vmlinux", name: "outer.isra.0", sympos: 0 }],
    callbacks: [],
    states: [],
    replace: false,
  },
};

const boxes = (svg: string) =>
  [...svg.matchAll(/<g class="box ([\w-]+)"[^>]*aria-label="([^"]*)"/g)].map(
    ([, look, label]) => `${look} ${label}`,
  );

test("functions and what else findings name are boxes, each once, that lead to the code", () => {
  const svg = pictureOf(STATE);
  expect(boxes(svg)).toEqual([
    "safe inner: function · safe, kernel/foo.c line 3",
    "unsafe a_name_that_is_much_too_long_for_its_box: function · unsafe, kernel/foo.c line 9",
    "unsafe limit: static-data-changed, kernel/foo.c line 1",
    "unsafe &lt;inner&gt;: static-data-changed, kernel/foo.c line 1",
  ]);
  expect(svg).toContain('role="link" data-file="kernel/foo.c" data-line="3" data-column="1"');
  expect(svg).toContain(">a_name_that_is_much_too_long_f…</text>");
  expect(svg).not.toContain("<inner>");
  expect(svg).toContain("The objects were not asked.");
});

test("what the compiler made part of others leads to what is carried, also in words", () => {
  const svg = pictureOf({ ...STATE, review: REVIEW });
  expect(boxes(svg)).toEqual(
    expect.arrayContaining([
      "safe inner: function · safe, kernel/foo.c line 3; leads to outer.isra.0",
      "plain outer.isra.0: changed in kernel/foo.o; leads to outer.isra.0",
      "safe outer.isra.0: in vmlinux",
    ]),
  );
  expect(svg.match(/<path /g)).toHaveLength(2);
});

test("a patch of very many functions is cut, and says so", () => {
  const functions = Array.from({ length: 100 }, (_, at) => ({
    name: `f${at}`,
    line: at + 1,
    endLine: at + 1,
    verdict: "safe" as const,
    inlinedInto: [],
  }));
  const svg = pictureOf({ ...STATE, files: [{ path: "a.c", isRead: true, functions, findings: [] }] });
  expect(boxes(svg)).toHaveLength(40);
  expect(svg).toContain("… and 61 more");
});

test("an empty change is said in words", () => {
  expect(pictureOf({ ...STATE, files: [], verdict: null })).toContain("Nothing differs.");
  expect(titleOf({ ...STATE, files: [], verdict: null })).toBe("Nothing differs");
  expect(titleOf(STATE)).toBe("Hot patch of 1 file for debian/1: unsafe");
});

test("what only the objects show is no change of the source", () => {
  expect(pictureOf(STATE)).not.toContain("seen");
});
