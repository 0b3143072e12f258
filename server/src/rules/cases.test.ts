import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkFiles } from "../review/check-files.js";
import { loadEngine } from "../syntax/engine.js";
import { openTree } from "../tree/open-tree.js";
import { type Expected, parseCases, type RuleCase } from "./case-file.js";
import type { Edit } from "./inspection.js";
import { witnessRules } from "./source-rules.js";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
const paths = (await readdir(FOLDER, { recursive: true })).filter((path) => path.endsWith(".cases"));
const files = await Promise.all(
  paths.map(async (path) => ({
    id: path.replace(/^.*\/|\.cases$/g, ""),
    cases: parseCases(path, await readFile(join(FOLDER, path), "utf8")),
  })),
);
const engine = await loadEngine();
let room = "";
beforeAll(async () => {
  room = await mkdtemp(join(tmpdir(), "hotpatch-rules-"));
});
afterAll(() => rm(room, { recursive: true, force: true }));

it("every rule of the source witness has cases, and every case file a rule", () => {
  expect(files.map(({ id }) => id).sort()).toEqual(witnessRules.map(({ id }) => id).sort());
});

describe.each(files)("$id", ({ id, cases }) => {
  it("has something that trips it, the same made safe, and a near miss", () => {
    expect(cases.filter(({ shown }) => shown === "trips")).toHaveLength(1);
    expect(cases.filter(({ shown }) => shown === "safe")).toHaveLength(1);
    expect(cases.filter(({ expected }) => expected.length > 0).length).toBeGreaterThan(0);
    expect(cases.filter(({ expected }) => expected.length === 0).length).toBeGreaterThan(0);
  });

  it.each(cases.map((one) => ({ ...one, name: `${one.title} (line ${one.line})` })))("$name", async (one) => {
    const found = (await findings(one)).filter(({ rule }) => rule === id);
    const seen: Expected[] = found.map(({ file, line, severity, message }) => ({
      file: file ?? "",
      line: line ?? 0,
      severity,
      message,
    }));
    const order = (a: Expected, b: Expected) => a.file.localeCompare(b.file) || a.line - b.line;
    const key = ({ file, line, severity }: Expected) => `${file}:${line} ${severity}`;
    const expected = one.expected.toSorted(order);
    const actual = seen.toSorted(order);
    expect(actual.map((finding) => `${key(finding)} ${finding.message}`).join("\n")).toEqual(
      expected
        .map((wanted, at) => {
          const message = actual[at]?.message ?? "";
          return `${key(wanted)} ${message.includes(wanted.message) && message !== "" ? message : `…${wanted.message}…`}`;
        })
        .join("\n"),
    );
    for (const [path, content] of one.fixed) {
      const [fix] = found[0]?.fixes ?? [];
      const before = one.files.find((file) => file.path === path)?.after ?? "";
      expect(
        applied(
          before,
          (fix?.edits ?? []).filter((edit) => edit.file === path),
        ),
      ).toBe(content);
    }
  });
});

async function findings(one: RuleCase) {
  const root = await mkdtemp(join(room, "tree-"));
  const changed = one.files.filter(({ before, after }) => before !== after);
  const given = new Set(one.files.map(({ path }) => path));
  const files = new Map(Object.entries(SURROUNDINGS).filter(([path]) => !given.has(path)));
  for (const { path, before } of one.files) if (before !== undefined) files.set(path, before);
  for (const { path } of one.files) {
    const makefile = join(dirname(path), "Makefile");
    if (!path.endsWith(".c") || given.has(makefile)) continue;
    files.set(
      makefile,
      `${files.get(makefile) ?? ""}obj-y += ${path.replace(/^.*\//, "").replace(/c$/, "o")}\n`,
    );
    for (let folder = dirname(path); folder.includes("/"); folder = dirname(folder)) {
      const above = join(dirname(folder), "Makefile");
      if (!given.has(above))
        files.set(above, `${files.get(above) ?? ""}obj-y += ${folder.replace(/^.*\//, "")}/\n`);
    }
  }
  for (const [path, text] of files) {
    await mkdir(join(root, dirname(path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  const work = {
    signal: new AbortController().signal,
    cache: join(root, ".cache"),
    progress: () => undefined,
  };
  const bytes = (text: string | undefined) => (text === undefined ? undefined : Buffer.from(text));
  const changes = changed.map(({ path, before, after }) => {
    const [old, now] = [bytes(before), bytes(after)];
    return { path, ...(old && { before: old }), ...(now && { after: now }) };
  });
  return await checkFiles(work, engine, await openTree(root), changes);
}

/** The least that makes a folder a kernel tree. */
const SURROUNDINGS: Readonly<Record<string, string>> = {
  Makefile: "VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 0\nEXTRAVERSION =\nNAME = Cases\n",
  Kbuild:
    "obj-y += init/ kernel/ mm/ fs/ ipc/ security/ crypto/ block/ io_uring/ lib/ drivers/ sound/ net/ virt/\n",
  MAINTAINERS: "\n",
  ".config": "CONFIG_X86_64=y\nCONFIG_64BIT=y\nCONFIG_SMP=y\nCONFIG_MODULES=y\nCONFIG_LIVEPATCH=y\n",
};

function applied(text: string, edits: readonly Edit[]): string {
  const lines = text.split("\n");
  const offset = (line: number, column: number) =>
    lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0) + column - 1;
  return edits
    .map((edit) => ({
      from: offset(edit.line, edit.column),
      to: offset(edit.endLine, edit.endColumn),
      with: edit.text,
    }))
    .sort((a, b) => b.from - a.from)
    .reduce((whole, edit) => whole.slice(0, edit.from) + edit.with + whole.slice(edit.to), text);
}
