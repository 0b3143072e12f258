import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TSchema } from "typebox";
import { DoctorReport } from "../doctor/report.js";
import { AvailableKernelList, KernelProfile, KernelProfileList } from "../kernels/profile-list.js";
import { SourceDiff } from "../kernels/source-diff.js";
import { renderRulesPage } from "../render/rules.js";
import { ObjectDiff } from "../review/object-diff.js";
import { Review, TestReport } from "../review/review.js";
import { parseCases, type RuleCase } from "../rules/case-file.js";
import { catalogue } from "../rules/catalogue.js";
import { judgeCase } from "../rules/judge-case.js";
import { RuleList } from "../rules/rule-list.js";
import { loadEngine } from "../syntax/engine.js";
import { ParseReport } from "../syntax/parse-files.js";

import { type JudgedCase, rulePage } from "./rule-page.js";

/** The schema of everything that `--json` prints, by the name of its file. */
export const schemas: Readonly<Record<string, TSchema>> = {
  review: Review,
  test: TestReport,
  "object-diff": ObjectDiff,
  rules: RuleList,
  parse: ParseReport,
  doctor: DoctorReport,
  "kernel-profile": KernelProfile,
  "kernel-profile-list": KernelProfileList,
  "kernel-diff": SourceDiff,
  "available-kernel-list": AvailableKernelList,
};

/** Every page in `docs/` that is written from code: its path in the repository and its content. */
export async function generatedDocs(): Promise<Map<string, string>> {
  const docs = new Map([["docs/rules.md", renderRulesPage(catalogue)]]);
  for (const [name, schema] of Object.entries(schemas)) {
    const page = { $schema: "https://json-schema.org/draft/2020-12/schema", title: name, ...schema };
    docs.set(`docs/schema/${name}.schema.json`, `${JSON.stringify(page, null, 2)}\n`);
  }
  const cases = await judgedCases();
  for (const rule of catalogue)
    docs.set(`docs/rules/${rule.id}.md`, rulePage(rule, cases.get(rule.id) ?? []));
  return docs;
}

/** The shown cases of every rule that has some, put to the rule, by its id. */
async function judgedCases(): Promise<Map<string, JudgedCase[]>> {
  const room = await mkdtemp(join(tmpdir(), "hotpatch-docs-"));
  try {
    const engine = await loadEngine();
    const judged = new Map<string, JudgedCase[]>();
    for (const path of await readdir(RULES, { recursive: true })) {
      if (!path.endsWith(".cases")) continue;
      const id = basename(path, ".cases");
      const shown = parseCases(path, await readFile(join(RULES, path), "utf8")).filter(({ shown }) => shown);
      const ofRule = async (one: RuleCase) => ({
        one,
        findings: (await judgeCase(engine, room, one)).filter(({ rule }) => rule === id),
      });
      judged.set(id, await Promise.all(shown.map(ofRule)));
    }
    return judged;
  } finally {
    await rm(room, { recursive: true, force: true });
  }
}

/** Cases are not compiled: they are read where they are written. */
const RULES = fileURLToPath(new URL("../../src/rules/", import.meta.url));
