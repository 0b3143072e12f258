import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { listProfiles, loadProfile, removeProfile } from "./store.js";

let cache = "";
const work = () => ({ signal: new AbortController().signal, cache, progress: () => undefined });
const source = () => join(cache, "sources/linux-source-6.1_6.1.192-2");

beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), "store-"));
  await mkdir(source(), { recursive: true });
  for (const release of ["6.1.0-9-amd64", "6.1.0-56-amd64"]) await plant(release);
  await plant("6.1.0-55-amd64", "half");
});
afterEach(() => rm(cache, { recursive: true }));

test("a profile exists if its profile.json does", async () => {
  expect((await listProfiles(cache)).map((profile) => profile.id)).toEqual([
    "debian/6.1.0-9-amd64",
    "debian/6.1.0-56-amd64",
  ]);
  expect((await loadProfile(work(), "debian/6.1.0-56-amd64")).id).toBe("debian/6.1.0-56-amd64");
  await expect(loadProfile(work(), "debian/6.1.0-55-amd64")).rejects.toMatchObject({
    code: "bad-input",
    message: "kernel debian/6.1.0-55-amd64 has not been added",
    remedy: "run 'hotpatch kernel add debian/6.1.0-55-amd64'",
  });
  expect(await listProfiles(join(cache, "nowhere"))).toEqual([]);
});

test.each(["", "{", '{"schemaVersion": 0}'])("a profile.json that says '%s' is none", async (text) => {
  await writeFile(join(cache, "kernels/debian/6.1.0-9-amd64/profile.json"), text);
  expect(await listProfiles(cache)).toHaveLength(1);
});

test("latest is what it was when it was added", async () => {
  await writeFile(join(cache, "kernels/debian/latest-amd64"), "debian/6.1.0-9-amd64\n");
  expect((await loadProfile(work(), "debian/latest-amd64")).id).toBe("debian/6.1.0-9-amd64");
  expect(await listProfiles(cache)).toHaveLength(2);
});

test("the source goes with the last profile that uses it", async () => {
  await removeProfile(work(), "debian/6.1.0-9-amd64");
  expect(existsSync(source())).toBe(true);
  await removeProfile(work(), "debian/6.1.0-56-amd64");
  expect(existsSync(source())).toBe(false);
  await removeProfile(work(), "debian/6.1.0-55-amd64");
  expect(existsSync(join(cache, "kernels/debian/6.1.0-55-amd64"))).toBe(false);
  await expect(removeProfile(work(), "debian/6.1.0-55-amd64")).rejects.toThrow("has not been added");
});

async function plant(release: string, state: "whole" | "half" = "whole"): Promise<void> {
  const folder = join(cache, "kernels/debian", release);
  await mkdir(join(folder, "files-1"), { recursive: true });
  await writeFile(join(folder, "source-in-use"), source());
  if (state === "half") return;
  const profile = { schemaVersion: 1, id: `debian/${release}`, source: source() };
  await writeFile(join(folder, "profile.json"), JSON.stringify(profile));
}
