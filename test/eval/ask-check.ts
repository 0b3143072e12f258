import { fileURLToPath } from "node:url";
import { Fault } from "@kernel-hotpatch/kernel/host/fault";
import { run } from "@kernel-hotpatch/kernel/host/run";
import type { Work } from "@kernel-hotpatch/kernel/host/work";
import type { Review } from "@kernel-hotpatch/server/review/review";

const HOTPATCH = fileURLToPath(new URL("../../../server/bin/hotpatch.js", import.meta.url));
/** Seconds; a patch of one file is answered in less than one. */
const DEADLINE = 120;

/**
 * Has the real program say what the source witness thinks.
 * @throws Fault `defect` when it ends with anything but a review
 */
export async function askCheck(work: Work, kernel: string, patch: string): Promise<Review> {
  const { status, stdout, stderr } = await run(
    work,
    [process.execPath, HOTPATCH, "check", "--json", "--kernel", kernel, patch],
    { deadline: DEADLINE },
  );
  // 1: something is unsafe.
  if (status > 1) throw new Fault("defect", `hotpatch check: status ${status}: ${stderr.trim()}`);
  return JSON.parse(stdout) as Review;
}
