import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { KernelProfile } from "@kernel-hotpatch/kernel/profile/profile";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hotpatch } from "./hotpatch.js";
import { type Bench, MEMINFO_TEST, meminfoPatch, patchOf, privateBench, stockKernel } from "./kernel.js";

const MINUTES = 60_000;
let kernel: KernelProfile;
let bench: Bench;

beforeAll(async () => {
  kernel = await stockKernel();
  bench = await privateBench();
  await writeFile(join(bench.folder, "fix.patch"), await meminfoPatch(kernel));
  await writeFile(join(bench.folder, "fix.test.sh"), MEMINFO_TEST);
}, 15 * MINUTES);

afterAll(() => bench.remove());

const SLSA = new URL("schema/slsa-provenance-v1.json", import.meta.url);

function sha256Of(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

const schemas = new URL("../docs/schema/", import.meta.url);
const ajv = new Ajv2020({ strict: true, allErrors: true });

/** Of the schema's file in docs/schema. */
function validator(name: string): ValidateFunction {
  return ajv.compile(JSON.parse(readFileSync(new URL(`${name}.schema.json`, schemas), "utf8")));
}

/** Runs a command with --json and validates what it prints. */
async function printed(schema: string, args: readonly string[], status = 0): Promise<unknown> {
  const run = await hotpatch([...args, "--json", "--kernel", kernel.id], {
    cwd: bench.folder,
    env: bench.env,
  });
  expect({ status: run.status, stderr: run.stderr }).toMatchObject({ status });
  const report = JSON.parse(run.stdout);
  const validate = validator(schema);
  validate(report);
  expect(validate.errors).toBeNull();
  used.add(schema);
  return report;
}
const used = new Set<string>();

test("rules", async () => {
  await printed("rules", ["rules"]);
  expect(await printed("rules", ["rules", "jump-label"])).toMatchObject({ rules: [{ id: "jump-label" }] });
});

test("doctor", async () => {
  await printed("doctor", ["doctor"]);
});

test("kernel list, show, diff", async () => {
  expect(await printed("kernel-profile-list", ["kernel", "list"])).toMatchObject({
    profiles: expect.arrayContaining([kernel]),
  });
  expect(await printed("kernel-profile", ["kernel", "show"])).toEqual(kernel);
  expect(await printed("kernel-diff", ["kernel", "diff", kernel.id, kernel.id, "lib"])).toMatchObject({
    patch: "",
  });
});

test(
  "kernel list --available",
  async () => {
    await printed("available-kernel-list", ["kernel", "list", "--available"]);
  },
  MINUTES,
);

test(
  "build, objdiff, test, review",
  async () => {
    const built = await printed("review", ["build", "fix.patch", "-o", "out"]);
    expect(built).toMatchObject({
      verdict: "needs-review",
      patch: { files: ["fs/proc/meminfo.c"] },
      objects: [{ outcome: "carried", changed: ["meminfo_proc_show"] }],
      module: { functions: [{ object: "vmlinux", name: "meminfo_proc_show" }] },
    });
    expect(JSON.parse(readFileSync(join(bench.folder, "out/report.json"), "utf8"))).toEqual(built);

    const statement = JSON.parse(readFileSync(join(bench.folder, "out/patch.provenance.json"), "utf8"));
    const isProvenance = new Ajv2020({ allErrors: true }).compile(JSON.parse(readFileSync(SLSA, "utf8")));
    isProvenance(statement);
    expect(isProvenance.errors).toBeNull();
    expect(statement.subject).toEqual([
      { name: "patch.ko", digest: { sha256: sha256Of(join(bench.folder, "out/patch.ko")) } },
    ]);
    expect(statement.predicate.buildDefinition.externalParameters.patches).toEqual([
      { name: "fix.patch", digest: { sha256: sha256Of(join(bench.folder, "fix.patch")) } },
    ]);

    const diff = join(bench.folder, "out/objects/fs/proc/meminfo.diff.o");
    await printed("object-diff", ["objdiff", diff, diff]);

    const tested = await printed("test", ["test", "out/patch.ko", "--test", "fix.test.sh", "--cycles", "1"]);
    expect(tested).toMatchObject({ sandbox: { outcome: "finished" }, findings: [{ rule: "not-read" }] });

    const reviewed = await printed("review", ["review", "fix.patch"]);
    expect(reviewed).toMatchObject({ verdict: "safe", findings: [], sandbox: { outcome: "finished" } });
  },
  5 * MINUTES,
);

test(
  "a refusal says where",
  async () => {
    const init = await patchOf(kernel, "fs/proc/meminfo.c", (text) =>
      text.replace('proc_create_single("meminfo"', 'proc_create_single("meminf0"'),
    );
    await writeFile(join(bench.folder, "init.diff"), init);
    expect(await printed("review", ["review", "init.diff"], 1)).toMatchObject({
      verdict: "unsafe",
      findings: expect.arrayContaining([
        expect.objectContaining({ rule: "init-code", file: "fs/proc/meminfo.c" }),
      ]),
    });
  },
  2 * MINUTES,
);

test("parse", async () => {
  await writeFile(join(bench.folder, "broken.c"), "int f(void) { return 1 +; }\n");
  expect(await printed("parse", ["parse", "broken.c"], 1)).toMatchObject({
    files: 1,
    clean: 0,
    errors: [expect.objectContaining({ line: 1 })],
  });
});

test("every schema in docs/schema was put to use", () => {
  const all = readdirSync(schemas).map((file) => file.replace(".schema.json", ""));
  expect([...used].sort()).toEqual(all.sort());
});
