import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ChangeSet } from "../change/change-set.js";
import { readChangeSet } from "../change/read-change-set.js";
import { loadEngine } from "../syntax/engine.js";
import { readConditionsOf } from "./conditions.js";
import { gatherFacts } from "./gather-facts.js";
import { openTree } from "./open-tree.js";
import { smallTree } from "./small-tree.js";
import type { SourceTree } from "./source-tree.js";
import type { TreeFacts, Use } from "./tree-facts.js";

const FILES: Record<string, string> = {
  Kbuild: "obj-y += kernel/ net/\n",
  ".config": "CONFIG_X86_64=y\n",
  "Module.symvers": "0x1\tdo_it\tvmlinux\tEXPORT_SYMBOL\t\n",
  "include/linux/it.h":
    "#ifndef _IT_H\n#define _IT_H\nstruct it { int a; };\nint do_it(struct it *it);\n#endif\n",
  "include/linux/outer.h": "#include <linux/it.h>\n",
  "kernel/Makefile": "obj-y += it.o user.o\nobj-$(CONFIG_OFF) += off.o\n",
  "kernel/it.c":
    "#include <linux/it.h>\nstatic int helper(void)\n{\n\treturn 1;\n}\nint do_it(struct it *it)\n{\n\treturn helper();\n}\n",
  "kernel/user.c":
    '#include <linux/outer.h>\n/* do_it */\nint helper(void);\nint use(void)\n{\n\treturn do_it(0) + kthread_run(do_it, "do_it");\n}\n',
  "kernel/off.c": "#include <linux/it.h>\nint off(void)\n{\n\treturn do_it(0);\n}\n",
  "kernel/body.c": "int body;\n",
  "net/Makefile": "obj-y += whole.o\n",
  "net/whole.c": '#include "../kernel/body.c"\n#include "part.c"\n',
  "net/part.c": "int part(void)\n{\n\treturn 1;\n}\n",
  "arch/arm64/other.c": "int x(void)\n{\n\treturn do_it(0);\n}\n",
  "tools/other.c": "int x(void)\n{\n\treturn do_it(0);\n}\n",
};

let root = "";
let cache = "";
let tree: SourceTree;
beforeEach(async () => {
  root = await smallTree(FILES);
  cache = await mkdtemp(join(tmpdir(), "facts-cache-"));
  tree = await openTree(root);
});
afterEach(async () => {
  for (const folder of [root, cache]) await rm(folder, { recursive: true });
});

const work = () => ({ signal: new AbortController().signal, cache, progress: () => undefined });

async function changeOf(after: Record<string, string | undefined>): Promise<ChangeSet> {
  const bytes = (text: string | undefined) => (text === undefined ? undefined : Buffer.from(text));
  const files = Object.entries(after).map(([path, text]) => {
    const [old, now] = [bytes(FILES[path]), bytes(text)];
    return { path, ...(old && { before: old }), ...(now && { after: now }) };
  });
  return readChangeSet(work(), await loadEngine(), files, readConditionsOf(tree));
}

async function gather(after: Record<string, string | undefined>): Promise<TreeFacts> {
  return gatherFacts(work(), tree, await changeOf(after), await loadEngine());
}

const edited = (path: string, from: string, to: string) => ({ [path]: FILES[path]?.replace(from, to) });
const told = ({ file, line, kind, within, inPatch }: Use) =>
  `${file}:${line} ${kind}${within ? ` in ${within}` : ""}${inPatch ? " patched" : ""}`;

it("finds the uses of what other files can use, as the patched files have them", async () => {
  const facts = await gather(
    edited("kernel/it.c", "int do_it(struct it *it)\n{", "\n\nint do_it(struct it *it)\n{\n\tdo_it(it);"),
  );
  expect(facts.uses("do_it").places.map(told)).toEqual([
    "include/linux/it.h:4 declaration",
    "kernel/it.c:8 definition patched",
    "kernel/it.c:10 call in do_it patched",
    "kernel/off.c:4 call in off",
    "kernel/user.c:6 call in use",
    "kernel/user.c:6 address in use",
  ]);
  expect(facts.uses("do_it").places.at(-1)).toMatchObject({ argumentOf: "kthread_run", inPatch: false });
  expect(facts.uses("do_it").count).toBe(6);
  expect(facts.exported("do_it")).toEqual({ module: "vmlinux", namespace: "" });
  expect(() => facts.uses("nobody_asked")).toThrow("nobody_asked");
});

it("looks for a static name in its own file only", async () => {
  const facts = await gather(edited("kernel/it.c", "return 1", "return 2"));
  expect(facts.uses("helper").places.map(told)).toEqual([
    "kernel/it.c:2 definition patched",
    "kernel/it.c:8 call in do_it patched",
  ]);
});

it("finds the users of a type, and how far a header reaches", async () => {
  const facts = await gather(edited("include/linux/it.h", "int a", "long a"));
  expect(facts.uses("it").places.map(told)).toContain("kernel/it.c:6 type in do_it");
  // Those that the configuration leaves out do not count.
  expect(facts.reach("include/linux/it.h")).toEqual({
    units: 2,
    atLeast: false,
    examples: ["kernel/it.c", "kernel/user.c"],
  });
});

it("a file that another includes is built with it", async () => {
  const facts = await gather({ ...edited("net/part.c", "1", "2"), ...edited("kernel/off.c", "0", "1") });
  expect(facts.build("net/part.c")).toEqual({ into: "vmlinux" });
  expect(facts.build("kernel/off.c")).toEqual({ into: "nothing", option: "CONFIG_OFF" });
});

it("removed and new files", async () => {
  const facts = await gather({
    "kernel/user.c": undefined,
    "include/linux/new.h": "int fresh(void);\n",
    ...edited("kernel/it.c", "#include <linux/it.h>", "#include <linux/it.h>\n#include <linux/new.h>"),
    ...edited("include/linux/it.h", "int do_it", "long do_it"),
  });
  expect(facts.uses("do_it").places.map(({ file }) => file)).not.toContain("kernel/user.c");
  expect(facts.reach("include/linux/new.h")).toEqual({ units: 1, atLeast: false, examples: ["kernel/it.c"] });
});

it("does not follow symbolic links, and survives files that are no text", async () => {
  await mkdir(join(root, "outside"));
  await symlink("/etc", join(root, "link"));
  await symlink(join(root, "kernel/user.c"), join(root, "kernel/again.c"));
  await writeFile(
    join(root, "kernel/bytes.c"),
    Buffer.from([0, 255, 10, ...Buffer.from("int y(void)\n{\n\treturn do_it(0);\n}\n")]),
  );
  const facts = await gather(edited("include/linux/it.h", "int do_it", "long do_it"));
  const files = facts.uses("do_it").places.map(({ file }) => file);
  expect(files).toContain("kernel/bytes.c");
  expect(files).not.toContain("kernel/again.c");
});

it("answers about a tree that never changes are kept, and those about another patch's files are found anew", async () => {
  tree = { ...tree, immutable: true };
  const change = edited("include/linux/it.h", "int do_it", "long do_it");
  const first = await gather(change);
  await writeFile(join(root, "kernel/user.c"), "");
  const second = await gather(change);
  expect(second.uses("do_it")).toEqual(first.uses("do_it"));
  expect(second.reach("include/linux/it.h")).toEqual(first.reach("include/linux/it.h"));
  // The header was not read, for it was the patch's.
  const third = await gather(edited("kernel/it.c", "do_it(struct it *it)", "do_it(struct it *that)"));
  expect(third.uses("do_it").places.map(told)).toContain("include/linux/it.h:4 declaration");
});

it("what of a large patch is read does not depend on what was asked before", async () => {
  // Thirteen functions with sixty users each, all in different files: more than are read for one patch.
  const names = Array.from({ length: 13 }, (_, at) => `fn${String(at).padStart(2, "0")}`);
  await mkdir(join(root, "users"));
  for (const name of names)
    for (let at = 0; at < 60; at++)
      await writeFile(
        join(root, `users/${name}_${at}.c`),
        `int user${at}(void)\n{\n\treturn ${name}();\n}\n`,
      );
  tree = { ...tree, immutable: true };
  const define = (some: readonly string[]) =>
    some.map((name) => `int ${name}(void)\n{\n\treturn 1;\n}\n`).join("");
  const large = { "kernel/functions.c": define(names) };
  const cold = await gather(large);
  const kinds = (facts: TreeFacts) => names.map((name) => facts.uses(name).places.map(told));
  expect(kinds(cold).flat().join()).toContain("unread");

  await rm(join(cache, "tree-answers"), { recursive: true });
  await gather({ "kernel/functions.c": define(names.slice(-2)) });
  expect(kinds(await gather(large))).toEqual(kinds(cold));
});

it("names a missing ripgrep", async () => {
  const path = process.env.PATH;
  try {
    const bin = join(root, "bin");
    await mkdir(bin);
    await symlink("/usr/bin/setpriv", join(bin, "setpriv"));
    process.env.PATH = bin;
    const change = edited("include/linux/it.h", "int do_it", "long do_it");
    await expect(gather(change)).rejects.toMatchObject({ code: "lacking", message: "rg is not installed" });
  } finally {
    process.env.PATH = path;
  }
});

it("stops when told to", async () => {
  const changes = await changeOf(edited("include/linux/it.h", "int do_it", "long do_it"));
  const stopped = { ...work(), signal: AbortSignal.abort() };
  await expect(gatherFacts(stopped, tree, changes, await loadEngine())).rejects.toMatchObject({
    code: "interrupted",
  });
});
