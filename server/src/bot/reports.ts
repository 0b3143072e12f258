import { lstat, readFile } from "node:fs/promises";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { Value } from "typebox/value";
import { Review } from "../review/review.js";

const MOST_BYTES = 32 * 1024 * 1024;
const MOST_FINDINGS = 5_000;
const MOST_FUNCTIONS = 50_000;

/**
 * Reads what `hotpatch check --json` or `review --json` printed in a job that strangers may have a hand in.
 * @throws Fault `bad-input` for anything else; its words quote nothing of the file
 */
export async function readReport(path: string): Promise<Review> {
  const refuse = (reason: string) => new Fault("bad-input", `${path} ${reason}`);
  // A link could lead to what only this process may read.
  const kind = await lstat(path).catch(() => undefined);
  if (!kind?.isFile()) throw refuse("is no plain file");
  if (kind.size > MOST_BYTES) throw refuse(`is larger than ${MOST_BYTES / 1024 / 1024} MiB`);
  const report = parsed(await readFile(path, "utf8"));
  if (!Value.Check(Review, report))
    throw refuse("is no report of 'hotpatch check' or 'review' (docs/schema/review.schema.json)");
  if (report.findings.length > MOST_FINDINGS) throw refuse(`holds more than ${MOST_FINDINGS} findings`);
  if ((report.module?.functions.length ?? 0) > MOST_FUNCTIONS)
    throw refuse(`names more than ${MOST_FUNCTIONS} functions`);
  return report;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
