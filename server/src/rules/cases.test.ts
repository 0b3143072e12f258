import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadEngine } from "../syntax/engine.js";
import { type Expected, parseCases } from "./case-file.js";
import type { Edit } from "./inspection.js";
import { judgeCase } from "./judge-case.js";
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
    const found = (await judgeCase(engine, room, one)).filter(({ rule }) => rule === id);
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
