import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "@kernel-hotpatch/kernel/host/run";
import { afterEach, beforeEach, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
let folder = "";

/** A clone with one needed package, whose programs only write down what they were asked for. */
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "setup-"));
  for (const name of ["tools", "kernel", "bin", "node_modules/.bin"]) {
    await mkdir(join(folder, name), { recursive: true });
  }
  await cp(join(ROOT, "tools/setup.mjs"), join(folder, "tools/setup.mjs"));
  const told = JSON.stringify(join(folder, "calls"));
  const bundle = `import { appendFileSync } from "node:fs";\nappendFileSync(${told}, "bundle\\n");\n`;
  await writeFile(join(folder, "tools/bundle.mjs"), bundle);
  await writeFile(join(folder, "package-lock.json"), "{}");
  await needing("present");
  await recorder("node_modules/.bin/tsc");
  await recorder("bin/npm", `touch "${folder}/node_modules/.package-lock.json"`);
  await recorder("bin/apt-get", `[ "$4" = update ] || : > "${folder}/bin/$7"`);
  await recorder("bin/sudo", 'shift; exec "$@"');
  await recorder("bin/present");
  for (const program of ["sh", "touch", "flock", "setpriv"]) {
    await symlink(join("/usr/bin", program), join(folder, "bin", program));
  }
  await installed();
});
afterEach(() => rm(folder, { recursive: true }));

test("with nothing to do it only compiles", async () => {
  expect(await setup()).toMatchObject({ status: 0, stderr: "" });
  expect(await calls()).toEqual(["tsc -b", "bundle"]);
});

test("what lacks is named with its reason and installed, once", async () => {
  await needing("lacking");
  const { status, stderr } = await setup();
  expect(status).toBe(0);
  expect(stderr).toMatch(/^These Debian packages are needed and not here:\n {2}lacking +for the test$/m);
  expect((await calls()).filter((call) => call.startsWith("apt-get"))).toEqual([
    expect.stringMatching(/^apt-get .*update$/),
    expect.stringMatching(/^apt-get .*install --yes --no-install-recommends lacking$/),
  ]);
  await rm(join(folder, "calls"));
  expect((await setup()).status).toBe(0);
  expect(await calls()).toEqual(["tsc -b", "bundle"]);
});

test("where it may not install, it prints the one line to run and says so by its status", async () => {
  await needing("lacking");
  await recorder("bin/sudo", "exit 1");
  await recorder("bin/apt-get", "exit 100");
  const { status, stderr } = await setup();
  expect(status).toBe(3);
  expect(stderr.trim().split("\n").at(-1)).toMatch(
    /sudo apt-get install --yes --no-install-recommends lacking$/,
  );
  expect(await calls()).not.toContain("tsc -b");
});

test.each([
  ["missing", () => rm(join(folder, "node_modules/.package-lock.json"))],
  ["older than the lock file", () => utimes(join(folder, "node_modules/.package-lock.json"), 1, 1)],
])("npm packages that are %s are installed", async (_, spoil) => {
  await spoil();
  expect((await setup()).status).toBe(0);
  expect(await calls()).toEqual([
    "npm ci --ignore-scripts --no-audit --no-fund",
    expect.stringMatching(/^npm rebuild .*tree-sitter/),
    "tsc -b",
    "bundle",
  ]);
});

test("a native parser that cannot be compiled is no reason to stop", async () => {
  await rm(join(folder, "node_modules/.package-lock.json"));
  await recorder("bin/npm", `[ "$1" = ci ] && touch "${folder}/node_modules/.package-lock.json"`);
  expect(await setup()).toMatchObject({ status: 0, stderr: expect.stringContaining("WASM") });
  expect(await calls()).toContain("tsc -b");
});

test("a native parser older than the grammar is compiled again, and once", async () => {
  await grammarAndParser();
  expect((await setup()).status).toBe(0);
  expect(await calls()).toEqual(["tsc -b", "bundle"]);
  await utimes(join(folder, "grammars/src/scanner.c"), 20, 20);
  await recorder("bin/npm", `touch "${folder}/grammars/build/Release/tree_sitter_kernel_c.node"`);
  await rm(join(folder, "calls"));
  expect((await setup()).status).toBe(0);
  expect((await setup()).status).toBe(0);
  expect(await calls()).toEqual(["npm rebuild tree-sitter-kernel-c", "tsc -b", "bundle", "tsc -b", "bundle"]);
});

test("two at once install once", async () => {
  await rm(join(folder, "node_modules/.package-lock.json"));
  const both = await Promise.all([setup(), setup()]);
  expect(both.map((result) => result.status)).toEqual([0, 0]);
  expect((await calls()).filter((call) => call.startsWith("npm ci"))).toHaveLength(1);
});

async function setup() {
  const signal = new AbortController().signal;
  return run({ signal }, [process.execPath, join(folder, "tools/setup.mjs")], {
    env: { PATH: join(folder, "bin") },
    deadline: 20,
  });
}

async function installed(): Promise<void> {
  const later = Date.now() / 1000 + 10;
  await writeFile(join(folder, "node_modules/.package-lock.json"), "{}");
  await utimes(join(folder, "node_modules/.package-lock.json"), later, later);
}

async function grammarAndParser(): Promise<void> {
  await mkdir(join(folder, "grammars/src"), { recursive: true });
  await mkdir(join(folder, "grammars/build/Release"), { recursive: true });
  for (const name of ["parser.c", "scanner.c", "words.h"]) {
    await writeFile(join(folder, "grammars/src", name), "");
    await utimes(join(folder, "grammars/src", name), 5, 5);
  }
  const compiled = join(folder, "grammars/build/Release/tree_sitter_kernel_c.node");
  await writeFile(compiled, "");
  await utimes(compiled, 10, 10);
}

async function needing(program: string): Promise<void> {
  const entries = [{ package: program, program, why: "for the test" }];
  await writeFile(join(folder, "kernel/debian-packages.json"), JSON.stringify(entries));
}

async function recorder(path: string, then = ""): Promise<void> {
  const name = path.slice(path.lastIndexOf("/") + 1);
  await writeFile(join(folder, path), `#!/bin/sh\necho "${name} $*" >> "${folder}/calls"\n${then}\n`);
  await chmod(join(folder, path), 0o755);
}

async function calls(): Promise<string[]> {
  const text = await readFile(join(folder, "calls"), "utf8").catch(() => "");
  return text.split("\n").filter((line) => line !== "");
}
