import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { smallTree } from "@kernel-hotpatch/server/tree/small-tree";
import { afterAll, beforeAll, expect, test } from "vitest";
import { gitIn } from "./git.js";

const BINARY = fileURLToPath(new URL("../server/bin/hotpatch.js", import.meta.url));
const SCRIPT = fileURLToPath(new URL("neovim.lua", import.meta.url));
const FOO = "static int __init foo_init(void)\n{\n\treturn 0;\n}\n";

const isThere = spawnSync("nvim", ["--version"]).status === 0;
let folder: string;
let root: string;
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "hotpatch-nvim-")));
  root = await realpath(
    await smallTree({
      ".config": "CONFIG_X86_64=y\n",
      "kernel/Makefile": "obj-y += foo.o\n",
      "kernel/foo.c": FOO,
    }),
  );
  gitIn(root, "init", "--quiet");
  gitIn(root, "add", "--all", "--force");
  gitIn(root, "commit", "--quiet", "--message", "as it is");
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await rm(root, { recursive: true, force: true });
});

test.skipIf(!isThere)(
  `Neovim shows findings, takes an action and runs a command${isThere ? "" : ": skipped, 'apt-get install neovim' first"}`,
  async () => {
    const out = join(folder, "out.json");
    const { status, stderr } = spawnSync("nvim", ["--headless", "--clean", "-n", "-S", SCRIPT], {
      encoding: "utf8",
      timeout: 120_000,
      env: {
        ...process.env,
        XDG_CACHE_HOME: folder,
        XDG_STATE_HOME: folder,
        HOTPATCH_NODE: process.execPath,
        HOTPATCH_COMMAND: BINARY,
        HOTPATCH_ROOT: root,
        HOTPATCH_FILE: join(root, "kernel/foo.c"),
        HOTPATCH_OUT: out,
      },
    });
    const told = JSON.parse(await readFile(out, "utf8").catch(() => "{}"));
    expect({ status, failed: told.failed, stderr: status === 0 ? "" : stderr }).toEqual({
      status: 0,
      stderr: "",
    });
    expect(told.diagnostics).toContainEqual({ code: "init-code", line: 0, severity: 1 });
    expect(told.action).toMatch(/^Ignore \S+ here/);
    expect(told.text[0]).toMatch(/^\/\* hotpatch-ignore: \S+ \*\/$/);
    expect(told.verdict).toBe("unsafe");
  },
  150_000,
);
