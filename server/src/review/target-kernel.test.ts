import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { targetKernel } from "./target-kernel.js";

const LATEST = process.arch === "arm64" ? "debian/latest-arm64" : "debian/latest-amd64";
let cache: string;
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), "target-kernel-"));
});
afterEach(() => rm(cache, { recursive: true }));

const work = () => ({ cache, signal: new AbortController().signal, progress: () => undefined });

/** A profile as far as choosing one needs it. */
async function add(id: string): Promise<void> {
  await write(`kernels/${id}/profile.json`, JSON.stringify({ schemaVersion: 1, id }));
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(cache, path)), { recursive: true });
  await writeFile(join(cache, path), text);
}

test("none was added", async () => {
  await expect(targetKernel(work(), undefined)).rejects.toMatchObject({
    code: "bad-input",
    message: "no kernel has been added yet",
    remedy: expect.stringContaining(`hotpatch kernel add ${LATEST}`),
  });
});

test("the only one", async () => {
  await add("debian/6.1.0-55-amd64");
  expect(await targetKernel(work(), undefined)).toMatchObject({ id: "debian/6.1.0-55-amd64" });
});

test("of several the one named, else what was the latest when it was added", async () => {
  await add("debian/6.1.0-55-amd64");
  await add("debian/6.1.0-56-amd64");
  await write(`kernels/${LATEST}`, "debian/6.1.0-55-amd64\n");
  expect(await targetKernel(work(), "debian/6.1.0-56-amd64")).toMatchObject({ id: "debian/6.1.0-56-amd64" });
  expect(await targetKernel(work(), undefined)).toMatchObject({ id: "debian/6.1.0-55-amd64" });
});

test("one that was not added", async () => {
  await add("debian/6.1.0-55-amd64");
  await expect(targetKernel(work(), "debian/6.1.0-56-amd64")).rejects.toMatchObject({ code: "bad-input" });
});
