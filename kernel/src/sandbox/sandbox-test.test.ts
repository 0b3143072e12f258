import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseTest, readTest } from "./sandbox-test.js";

const bad = expect.objectContaining({ code: "bad-input" });

test("a script without declarations is a behaviour test of half a minute", () => {
  expect(parseTest("meminfo", "grep -q Patched /proc/meminfo\n")).toEqual({
    name: "meminfo",
    script: "grep -q Patched /proc/meminfo\n",
    kind: "behaviour",
    modules: [],
    timeout: 30,
  });
});

test("declarations stand in the comment at the top", () => {
  const script = `#!/bin/sh
# Fills a small file system.
# kind: smoke
# modules: ext4 crc32c_generic
# disk: ext4 16M -b 1024 -O ^has_journal,bigalloc
# timeout: 90

# kind: nothing, for this is no longer the top
true
`;
  expect(parseTest("fill", script)).toMatchObject({
    kind: "smoke",
    modules: ["ext4", "crc32c_generic"],
    disk: { type: "ext4", size: 16, options: ["-b", "1024", "-O", "^has_journal,bigalloc"] },
    timeout: 90,
  });
});

test.each([
  "# module: ext4",
  "# kind: flaky",
  "# modules: ../../etc/passwd",
  "# timeout: 0",
  "# timeout: forever",
  "# disk: ntfs 16M",
  "# disk: ext4 16M -d /etc",
  "# disk: ext4 16M -b 1024 -J",
  "# disk: ext4 9999M",
])("refused: %s", (line) => {
  expect(() => parseTest("test", `${line}\ntrue\n`)).toThrow(bad);
});

test.each(["", ".", "..", "a/b", "a b", "$(reboot)", "-x'"])("no name for a test: '%s'", (name) => {
  expect(() => parseTest(name, "true\n")).toThrow(bad);
});

test("a test is named after its file", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sandbox-test-"));
  try {
    for (const name of ["a.sh", "b.test.sh", "c"]) await writeFile(join(folder, name), "true\n");
    const tests = await Promise.all(["a.sh", "b.test.sh", "c"].map((name) => readTest(join(folder, name))));
    expect(tests.map(({ name }) => name)).toEqual(["a", "b", "c"]);
    await expect(readTest(join(folder, "missing.sh"))).rejects.toThrow(bad);
  } finally {
    await rm(folder, { recursive: true });
  }
});
