import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkRequirements, installCommand } from "./requirements.js";

const path = process.env.PATH;
let cache = "";
const work = () => ({ signal: new AbortController().signal, cache, progress: () => undefined });

beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), "requirements-"));
});
afterEach(async () => {
  process.env.PATH = path;
  await rm(cache, { recursive: true });
});

test("what this machine has is found with its version", async () => {
  const found = new Map((await checkRequirements(work(), async () => true)).map((item) => [item.name, item]));
  expect(found.get("make")?.found).toMatch(/^\d+\.\d+/);
  expect(found.get("git")?.found).toMatch(/^\d+\.\d+/);
  expect(found.get("libelf-dev")?.found).toMatch(/^\d/);
  expect(found.get("KVM")).toMatchObject({ found: "proven by a boot", optional: true });
  expect(found.get("disk")?.why).toContain(cache);
});

test("what lacks names its package, and one command installs all of it", async () => {
  // Enough to start programs, and nothing else.
  process.env.PATH = await folderWith("setpriv", "dpkg-query");
  const requirements = await checkRequirements(work(), async () => false);
  const flex = requirements.find((item) => item.name === "flex");
  expect(flex).toMatchObject({ package: "flex", optional: false });
  expect(flex).not.toHaveProperty("found");
  expect(requirements.find((item) => item.name === "KVM")?.remedy).toBeDefined();
  expect(installCommand(requirements)).toMatch(/^sudo apt-get install --no-install-recommends .*\bflex\b/);
});

test("nothing is to be installed where nothing lacks", () => {
  expect(
    installCommand([{ name: "make", why: "", found: "4.3", optional: false, package: "make" }]),
  ).toBeUndefined();
});

async function folderWith(...programs: string[]): Promise<string> {
  for (const program of programs) await symlink(join("/usr/bin", program), join(cache, program));
  return cache;
}
