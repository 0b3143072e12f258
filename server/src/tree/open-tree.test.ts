import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { openTree } from "./open-tree.js";
import { smallTree } from "./small-tree.js";

let root = "";
afterEach(() => rm(root, { recursive: true }));

it("reads version, configuration and what the tree was built for", async () => {
  root = await smallTree({
    ".config": "# Linux/arm64 6.1.0 Kernel Configuration\nCONFIG_SMP=y\n",
    "Module.symvers": "",
  });
  const tree = await openTree(root);
  expect(tree).toMatchObject({ id: `tree:${root}`, root, arch: "arm64", version: [6, 1], immutable: false });
  expect(tree.config?.value("CONFIG_SMP")).toBe("y");
  expect(tree.moduleSymvers).toBe(join(root, "Module.symvers"));
});

it("takes another configuration and architecture when told to, and does without", async () => {
  root = await smallTree({});
  expect(await openTree(root, { arch: "arm64" })).not.toHaveProperty("config");
  await writeFile(join(root, "other"), "CONFIG_X86_64=y\n");
  expect(await openTree(root, { config: join(root, "other"), id: "mine" })).toMatchObject({
    arch: "x86_64",
    id: "mine",
  });
  await expect(openTree(root, { config: join(root, "none") })).rejects.toThrow(
    /cannot read the configuration/,
  );
});

it.each(["MAINTAINERS", "Kbuild", "Makefile"])("a folder without %s is no kernel tree", async (name) => {
  root = await smallTree({});
  await rm(join(root, name));
  await expect(openTree(root)).rejects.toThrow(`${root} is no kernel tree`);
});

it("a makefile without a version is no kernel's", async () => {
  root = await smallTree({ Makefile: "all:\n" });
  await expect(openTree(root)).rejects.toMatchObject({ code: "bad-input" });
});
