import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { headerReaches, REACH_LIMIT } from "./header-reach.js";
import { readInclusions } from "./inclusions.js";
import { unitBuilds } from "./kbuild.js";
import { openTree } from "./open-tree.js";
import { smallTree } from "./small-tree.js";
import type { HeaderReach } from "./tree-facts.js";

let root = "";
afterEach(() => rm(root, { recursive: true }));

async function reachesOf(files: Record<string, string>, ...headers: string[]): Promise<HeaderReach[]> {
  root = await smallTree(files);
  const tree = await openTree(root, { arch: "x86_64" });
  const work = { signal: new AbortController().signal, cache: join(root, "cache") };
  const reaches = await headerReaches(work, tree, headers, unitBuilds(tree), () =>
    readInclusions(work, tree),
  );
  return headers.map((header) => reaches.get(header) ?? { units: -1, atLeast: false, examples: [] });
}

const MAKEFILE = { "kernel/Makefile": "obj-y += a.o b.o c.o d.o\n" };

it("follows quotes to the file beside, brackets to the include folders, the architecture's first", async () => {
  const [beside, common, arch, generic] = await reachesOf(
    {
      ...MAKEFILE,
      "kernel/x.h": "",
      "include/x.h": "",
      "arch/x86/include/asm/y.h": "",
      "include/asm-generic/y.h": "",
      "include/asm-generic/z.h": "",
      "kernel/a.c": '#include "x.h"\n',
      "kernel/b.c": "  #  include\t<x.h>\n#include <asm/y.h>\n",
      "kernel/c.c": "#include <asm/z.h>\n",
    },
    "kernel/x.h",
    "include/x.h",
    "arch/x86/include/asm/y.h",
    "include/asm-generic/z.h",
  );
  expect(beside?.examples).toEqual(["kernel/a.c"]);
  expect(common?.examples).toEqual(["kernel/b.c"]);
  expect(arch?.examples).toEqual(["kernel/b.c"]);
  expect(generic?.examples).toEqual(["kernel/c.c"]);
});

it("a file that no rule finds may be any of that name", async () => {
  const [reach] = await reachesOf(
    { ...MAKEFILE, "drivers/deep/regs.h": "", "kernel/a.c": "#include <regs.h>\n" },
    "drivers/deep/regs.h",
  );
  expect(reach?.examples).toEqual(["kernel/a.c"]);
});

it("goes over headers, also those that include each other, and stops at the limit", async () => {
  const units = Array.from({ length: REACH_LIMIT + 20 }, (_, number) => `unit${number}`);
  const [few, many, none, everywhere] = await reachesOf(
    {
      "kernel/Makefile": `obj-y += ${units.map((unit) => `${unit}.o`).join(" ")}\n`,
      "include/many.h": "#include <round.h>\n",
      "include/round.h": "#include <many.h>\n#include <none.h>\n",
      "include/few.h": "",
      "include/none.h": "",
      "include/alone.h": "",
      "include/linux/compiler_types.h": "#include <few.h>\n",
      ...Object.fromEntries(units.map((unit) => [`kernel/${unit}.c`, "#include <many.h>\n"])),
    },
    "include/alone.h",
    "include/none.h",
    "include/missing.h",
    "include/few.h",
  );
  expect(few).toEqual({ units: 0, atLeast: false, examples: [] });
  expect(many).toMatchObject({ units: REACH_LIMIT + 1, atLeast: true });
  expect(many?.examples.length).toBeLessThan(REACH_LIMIT);
  expect(none).toMatchObject({ units: 0 });
  // Every compile is given it.
  expect(everywhere).toMatchObject({ units: REACH_LIMIT, atLeast: true });
});
