import type { TSchema } from "typebox";
import { DoctorReport } from "../doctor/report.js";
import { AvailableKernelList, KernelProfile, KernelProfileList } from "../kernels/profile-list.js";
import { SourceDiff } from "../kernels/source-diff.js";
import { renderRulesPage } from "../render/rules.js";
import { ObjectDiff } from "../review/object-diff.js";
import { Review, TestReport } from "../review/review.js";
import { catalogue } from "../rules/catalogue.js";
import { RuleList } from "../rules/rule-list.js";
import { ParseReport } from "../syntax/parse-files.js";

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
export function generatedDocs(): Map<string, string> {
  const docs = new Map([["docs/rules.md", renderRulesPage(catalogue)]]);
  for (const [name, schema] of Object.entries(schemas)) {
    const page = { $schema: "https://json-schema.org/draft/2020-12/schema", title: name, ...schema };
    docs.set(`docs/schema/${name}.schema.json`, `${JSON.stringify(page, null, 2)}\n`);
  }
  return docs;
}
