import { existsSync } from "node:fs";
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runOk } from "../host/run.js";
import { modulesInOrder, snapshotTree, treeState } from "./tree.js";

const work = { signal: new AbortController().signal, cache: "/nonexistent", progress: () => undefined };
let folder = "";
const tree = () => join(folder, "my linux");

const SOURCE = {
  Kconfig: "",
  Makefile: "mrproper:\n\trm -rf generated.c include/config Module.symvers modules.order\n",
  "scripts/Makefile.build": "",
  ".gitignore": "*.o\n",
  "fs/a.c": "int a;\n",
  "arch/x86/kernel/vmlinux.lds.S": "",
};
const BUILT = {
  ".config": "CONFIG_X86_64=y\nCONFIG_MODULES=y\n",
  "include/config/kernel.release": "6.1.0-mine+\n",
  "Module.symvers": "0x0\ta\tvmlinux\tEXPORT_SYMBOL\n",
  "arch/x86/boot/bzImage": "image",
  "modules.order": "fs/a.ko\n",
  "fs/a.ko": "",
  "fs/a.o": "object",
  "fs/.a.o.cmd": "",
  vmlinux: "large",
  "generated.c": "",
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tree-"));
  await plant({ ...SOURCE, ...BUILT });
});
afterEach(() => rm(folder, { recursive: true }));

test("a tree outside git is copied without what the build made", async () => {
  const before = await listing();
  const parts = await snapshotTree(work, tree(), join(folder, "profile"));
  expect(parts).toMatchObject({ arch: "x86_64", release: "6.1.0-mine+", origin: `copy of ${tree()}` });
  expect(await listing(parts.source)).toEqual(Object.keys(SOURCE).sort());
  expect(await readFile(parts.image, "utf8")).toBe("image");
  expect(existsSync(join(parts.modules, "kernel/fs/a.ko"))).toBe(true);
  expect(existsSync(join(parts.modules, "modules.dep"))).toBe(true);
  expect(await listing()).toEqual(before);
  expect(await treeState(work, tree())).toBeUndefined();
});

test("of a git repository the commit is taken, and nothing that the repository's settings name is run", async () => {
  const trap = join(folder, "trapped");
  await commit();
  await git("config", "filter.trap.smudge", `touch '${trap}'`);
  await git("config", "core.fsmonitor", `touch '${trap}'`);
  await writeFile(join(tree(), ".git/info/attributes"), "* filter=trap\n");
  await plant({ "fs/a.c": "int changed;\n", "fs/not-committed.c": "" });
  const state = await treeState(work, tree());

  const parts = await snapshotTree(work, tree(), join(folder, "profile"));
  expect(parts.origin).toMatch(/^[0-9a-f]{40}$/);
  expect(await readFile(join(parts.source, "fs/a.c"), "utf8")).toBe("int a;\n");
  expect(await listing(parts.source)).toEqual(Object.keys(SOURCE).sort());
  expect(existsSync(trap)).toBe(false);

  expect(await treeState(work, tree())).toBe(state);
  await plant({ "arch/x86/boot/bzImage": "another image" });
  expect(await treeState(work, tree())).not.toBe(state);
});

test("links that lead out of the tree are left out, others stay", async () => {
  await writeFile(join(folder, "secret"), "");
  await symlink("a.c", join(tree(), "fs/inside.c"));
  await symlink("../../secret", join(tree(), "fs/outside.c"));
  await symlink("/etc", join(tree(), "fs/etc"));
  const { source } = await snapshotTree(work, tree(), join(folder, "profile"));
  expect((await readdir(join(source, "fs"))).sort()).toEqual(["a.c", "inside.c"]);
});

test("an image that lies elsewhere is not read through a link", async () => {
  await rm(join(tree(), "arch/x86/boot/bzImage"));
  await symlink("/etc/passwd", join(tree(), "arch/x86/boot/bzImage"));
  await expect(snapshotTree(work, tree(), join(folder, "profile"))).rejects.toThrow(
    /lacks the image bzImage/,
  );
});

test("all that is missing is told at once, with the way to make it", async () => {
  for (const name of ["arch/x86/boot/bzImage", "Module.symvers", "fs/a.ko"]) await rm(join(tree(), name));
  const snapshot = snapshotTree(work, tree(), join(folder, "profile"));
  await expect(snapshot).rejects.toThrow(
    "is not completely built: it lacks the image bzImage (make bzImage), Module.symvers (make modules), " +
      "fs/a.ko (make modules)",
  );
  await expect(snapshot).rejects.toMatchObject({
    code: "bad-input",
    remedy: expect.stringMatching(/^run 'make -C/),
  });
});

test.each([
  ["a folder without a kernel", { Kconfig: undefined }, "is not the root of a kernel tree"],
  ["a 32-bit kernel", { ".config": "CONFIG_X86_32=y\n" }, "neither x86_64 nor arm64"],
  ["a kernel without modules", { ".config": "CONFIG_X86_64=y\n" }, "without loadable modules"],
  ["a release that is a path", { "include/config/kernel.release": "../../x\n" }, "holds no release"],
  ["a module outside", { "modules.order": "../../secret.ko\n" }, "lacks ../../secret.ko"],
])("%s is refused", async (_, change, message) => {
  await writeFile(join(folder, "secret.ko"), "");
  await plant(change);
  await expect(snapshotTree(work, tree(), join(folder, "profile"))).rejects.toThrow(message);
});

test("modules.order of old and new kernels", () => {
  expect(modulesInOrder("fs/a.ko\nkernel/b.ko\n")).toEqual(["fs/a.ko", "kernel/b.ko"]);
  expect(modulesInOrder("fs/a.o\n")).toEqual(["fs/a.ko"]);
  expect(modulesInOrder("")).toEqual([]);
});

async function plant(files: Record<string, string | undefined>): Promise<void> {
  await mkdir(join(folder, "profile"), { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    const path = join(tree(), name);
    await mkdir(dirname(path), { recursive: true });
    if (text === undefined) await rm(path);
    else await writeFile(path, text);
  }
}

async function listing(root = tree()): Promise<string[]> {
  const entries = await readdir(root, { recursive: true });
  const files = await Promise.all(entries.map(async (name) => (await lstat(join(root, name))).isFile()));
  return entries.filter((_, at) => files[at]).sort();
}

async function commit(): Promise<void> {
  await git("init", "--quiet");
  await git("add", ...Object.keys(SOURCE));
  await git("-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "--quiet", "--message", "x");
}

async function git(...command: string[]): Promise<void> {
  await runOk(work, ["git", "-C", tree(), ...command]);
}
