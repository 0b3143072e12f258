import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { smallTree } from "@kernel-hotpatch/server/tree/small-tree";
import { afterEach, beforeEach, expect, test } from "vitest";
import { gitIn } from "./git.js";

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Real editors, each with a script that opens a file, types, takes an action and runs a command. */
const EDITORS = [
  {
    name: "Neovim",
    packages: "neovim",
    command: ["nvim", "--headless", "--clean", "-n", "-S", here("neovim.lua")],
    needs: ["nvim", "--version"],
  },
  {
    name: "Emacs",
    packages: "emacs-nox elpa-eglot",
    command: ["emacs", "--batch", "-l", here("emacs.el")],
    needs: ["emacs", "--batch", "--eval", "(progn (package-initialize) (require 'eglot))"],
  },
] as const;

let folder: string;
let root: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "hotpatch-editor-")));
  root = await realpath(
    await smallTree({
      ".config": "CONFIG_X86_64=y\n",
      "kernel/Makefile": "obj-y += foo.o\n",
      "kernel/foo.c": "static int __init foo_init(void)\n{\n\treturn 0;\n}\n",
    }),
  );
  gitIn(root, "init", "--quiet");
  gitIn(root, "add", "--all", "--force");
  gitIn(root, "commit", "--quiet", "--message", "as it is");
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
  await rm(root, { recursive: true, force: true });
});

for (const { name, packages, command, needs } of EDITORS) {
  const [asked, ...how] = needs;
  const isThere = spawnSync(asked, how).status === 0;
  const what = `${name} shows findings, takes an action and runs a command`;
  test.skipIf(!isThere)(
    isThere ? what : `${what} (skipped: apt-get install ${packages})`,
    async () => {
      const out = join(folder, "out.json");
      const [program, ...args] = command;
      const { status, stderr } = spawnSync(program, args, {
        encoding: "utf8",
        timeout: 120_000,
        env: {
          ...process.env,
          XDG_CACHE_HOME: folder,
          XDG_STATE_HOME: folder,
          HOTPATCH_NODE: process.execPath,
          HOTPATCH_COMMAND: here("../server/bin/hotpatch.js"),
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
      expect(told.diagnostics.join("\n")).toMatch(/'foo_init' is __init/);
      expect(told.action).toMatch(/^Ignore \S+ here/);
      expect(told.text[0]).toMatch(/^\/\* hotpatch-ignore: \S+ \*\/$/);
      expect(told.verdict).toBe("unsafe");
    },
    150_000,
  );
}
