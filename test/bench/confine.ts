// What confinement costs a build: the same build with and without it, by turns. By the clock, for the processor time of
// what bubblewrap confines is not counted to us.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { addProfile } from "@kernel-hotpatch/kernel/profile/store";
import { hotpatch, median, tell, work } from "./measure.js";

const PATCH = fileURLToPath(
  new URL("../../../kernel/examples/meminfo-line/meminfo-line.patch", import.meta.url),
);
const ROUNDS = 15;

const folder = await mkdtemp(join(tmpdir(), "hotpatch-bench-"));
try {
  const { id } = await addProfile(work, "debian/latest-amd64");
  const build = ["--kernel", id, "build", PATCH, "-o", join(folder, "out")];
  await hotpatch(build);
  const [confined, free]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    confined.push((await hotpatch(build)).seconds);
    free.push((await hotpatch(["--no-confine", ...build])).seconds);
  }
  const measure = {
    what: "warm build of a one-function patch, confined",
    value: median(confined) / median(free),
    limit: 1.1,
    of: `x the same without (${median(free).toFixed(2)} s)`,
  };
  process.exitCode = tell(`kernel ${id}, medians of ${ROUNDS} rounds`, [measure]) ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
