import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hotpatch } from "./hotpatch.js";
import { type Bench, patchOf, privateBench, stockKernel } from "./kernel.js";

/** Fixes that `check` offers are code that compiles, loads and does what they say. */
let kernel: KernelProfile;
let bench: Bench;
beforeAll(async () => {
  kernel = await stockKernel();
  bench = await privateBench();
}, 900_000);
afterAll(() => bench.remove());

interface Edit {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
  readonly text: string;
}

type TreeEdits = Readonly<Record<string, (text: string) => string>>;

async function patchFile(name: string, edits: TreeEdits): Promise<string> {
  const path = join(bench.folder, `${name}.patch`);
  const parts = await Promise.all(
    Object.entries(edits).map(async ([file, edit]) => {
      const before = await readFile(join(kernel.source, file), "latin1");
      return edit(before) === before ? "" : patchOf(kernel, file, edit);
    }),
  );
  await writeFile(path, parts.join(""), "latin1");
  return path;
}

/** The patch with the first fix that `check` has for a rule. */
async function fixed(name: string, rule: string, edits: TreeEdits): Promise<string> {
  const asked = ["check", await patchFile(name, edits), "--kernel", kernel.id, "--json"];
  const { stdout } = await hotpatch(asked, { env: bench.env });
  const { findings }: { findings: { rule: string; fixes?: { edits: Edit[] }[] }[] } = JSON.parse(stdout);
  const fix = findings.find((finding) => finding.rule === rule && finding.fixes)?.fixes?.[0];
  if (!fix) throw new Error(`no fix for ${rule} in ${stdout}`);
  const files = [...new Set([...Object.keys(edits), ...fix.edits.map(({ file }) => file)])];
  return patchFile(
    `${name}-fixed`,
    Object.fromEntries(
      files.map((file) => [
        file,
        (text: string) =>
          applied(
            edits[file]?.(text) ?? text,
            fix.edits.filter((edit) => edit.file === file),
          ),
      ]),
    ),
  );
}

function applied(text: string, edits: readonly Edit[]): string {
  const starts = [0];
  for (const { index } of text.matchAll(/\n/g)) starts.push(index + 1);
  const at = (line: number, column: number) => (starts[line - 1] ?? text.length) + column - 1;
  return edits
    .map((edit) => ({
      from: at(edit.line, edit.column),
      to: at(edit.endLine, edit.endColumn),
      with: edit.text,
    }))
    .sort((a, b) => b.from - a.from)
    .reduce((done, edit) => done.slice(0, edit.from) + edit.with + done.slice(edit.to), text);
}

async function proven(patch: string, script: string) {
  const trial = join(bench.folder, "fix.test.sh");
  await writeFile(trial, script);
  const args = ["review", patch, "--test", trial, "--kernel", kernel.id, "--json"];
  const { stdout, stderr } = await hotpatch(args, { env: bench.env });
  expect(stderr).not.toMatch(/^\s+at /m);
  const { verdict, findings, sandbox } = JSON.parse(stdout);
  const outcomes = (sandbox?.steps ?? []).map(
    ({ name, outcome }: { name: string; outcome: string }) => `${name}: ${outcome}`,
  );
  return { verdict, rules: findings.map(({ rule }: { rule: string }) => rule), outcomes };
}

const PASSED = [
  "test before: fix: passed",
  "load: passed",
  "transition: passed",
  "test loaded: fix: passed",
  "cycle 2 of 2: passed",
  "disable: passed",
  "unload: passed",
  "test after: fix: passed",
];

test("a changed value becomes a pair of callbacks", async () => {
  const patch = await fixed("value", "static-data-changed", {
    "mm/page-writeback.c": (text) => text.replace("vm_dirty_ratio = 20;", "vm_dirty_ratio = 10;"),
  });
  expect(await proven(patch, "grep -qx 10 /proc/sys/vm/dirty_ratio")).toEqual({
    verdict: "safe",
    rules: ["data-added"],
    outcomes: PASSED,
  });
}, 300_000);

test("a new member becomes a shadow variable", async () => {
  const patch = await fixed("member", "data-layout", {
    "include/linux/sched.h": (text) =>
      text.replace("\n\tchar\t\t\t\tcomm[TASK_COMM_LEN];\n", "$&\tint\t\t\t\trenames;\n"),
    "fs/proc/base.c": (text) =>
      text
        .replace("\t\tset_task_comm(p, buffer);\n", "$&\t\tp->renames++;\n")
        .replace(
          "\tproc_task_name(m, p, false);\n\tseq_putc(m, '\\n');\n",
          '\tproc_task_name(m, p, false);\n\tseq_printf(m, " (%d)\\n", p->renames);\n',
        ),
  });
  const script = "printf one >/proc/$$/comm; printf two >/proc/$$/comm; grep -qx 'two (2)' /proc/$$/comm";
  const { verdict, rules, outcomes } = await proven(patch, script);
  // Nothing in this patch frees the variable with its task, and the review says so.
  expect({ verdict, rules }).toEqual({ verdict: "needs-review", rules: ["shadow-lifetime"] });
  expect(outcomes).toEqual(PASSED);
}, 300_000);
